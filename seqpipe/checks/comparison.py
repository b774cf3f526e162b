"""Rows beside each other: the last of three steps that ``seqpipe check`` and ``seqpipe train`` both take.

There are three since a head learns its units between the first and the second: `read_part` looks at every input of a
part, `Part.encode` at its targets, and `compare` at rows beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqpipe.checks.directions import find_directions
from seqpipe.checks.duplicates import find_duplicates, find_equal_ids
from seqpipe.checks.groups import compare_groups
from seqpipe.checks.lengths import find_long_inputs, find_unusual_rates
from seqpipe.checks.part import Part
from seqpipe.checks.targets import compare_classes, find_rare_characters
from seqpipe.config.recipe import DataConfig
from seqpipe.pipeline import Pipeline


def compare(parts: Sequence[Part], pipeline: Pipeline, config: DataConfig) -> None:
    """Look at rows beside each other, and add warnings and a summary to the findings of each part.

    Args:
        parts: train first, the others after it; with rows that can be used. What is usual, is learnt from the first.
        pipeline: fitted.
        config: the recipe's ``data``.

    Raises:
        DataError: ``data.group`` names a column that is not there.
    """
    parts = [part for part in parts if part.rows]
    if not parts:
        return

    measure = pipeline.features.measure
    scale = measure.amount(1)

    def show(length: int) -> str:
        return measure.text(scale * length)

    for part in parts:
        lengths = np.array(part.lengths)
        shortest, median, longest = lengths.min(), np.median(lengths), lengths.max()
        part.findings.numbers["source"] = part.rows[0].source
        part.findings.numbers["length"] = {
            "unit": measure.name,
            "total": round(scale * int(lengths.sum()), 4),
            "shortest": round(scale * int(shortest), 4),
            "median": round(scale * float(median), 4),
            "longest": round(scale * int(longest), 4),
        }
        part.findings.summary.append(
            f"{measure.total(scale * int(lengths.sum()))}: shortest {show(int(shortest))}, "
            f"median {show(int(median))}, longest {show(int(longest))}"
        )
    compare_classes(parts, pipeline.head)
    for part in parts:
        find_rare_characters(part, pipeline.head)
        if config.id:
            find_equal_ids(part)
    compare_groups(parts, config)
    find_directions(parts, pipeline.head, measure)
    find_long_inputs(parts, show)
    find_unusual_rates(parts, pipeline.head, show)
    find_duplicates(parts, measure)
    for part in parts:
        part.findings.warnings.sort(key=lambda warning: warning[0].place)


def warning_lines(parts: Sequence[Part], most: int = 3) -> list[str]:
    """The warnings of all parts in short, for the beginning of a training: counts by kind and the first rows."""
    return [f"{part.name}: {line}" for part in parts for line in part.findings.warning_lines(most)]
