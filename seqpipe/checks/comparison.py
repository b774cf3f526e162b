"""Data problems, found before they cost a night: what ``seqpipe check`` and ``seqpipe train`` both do.

Three steps, since a head learns its units between the first and the second: `read_part` looks at every input of a part,
`Part.encode` at its targets, and `compare` at rows beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from seqpipe.checks.duplicates import find_duplicates, find_equal_ids
from seqpipe.checks.findings import Findings, usable
from seqpipe.checks.groups import compare_groups
from seqpipe.checks.labels import encode_label, fits
from seqpipe.checks.lengths import find_long_inputs, find_unusual_rates
from seqpipe.checks.part import Part, read_part
from seqpipe.checks.targets import compare_classes, find_rare_characters
from seqpipe.config.recipe import DataConfig

__all__ = ["Findings", "Part", "compare", "encode_label", "fits", "read_part", "usable", "warning_lines"]


def compare(parts: Sequence[Part], pipeline: Any, config: DataConfig) -> None:
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

    unit = pipeline.features.unit
    scale = pipeline.features.amount(torch.ones(1))

    def show(length: int) -> str:
        return _shown(scale * length, unit)

    for part in parts:
        lengths = np.array(part.lengths)
        shortest, median, longest = lengths.min(), np.median(lengths), lengths.max()
        part.findings.numbers["source"] = part.rows[0].source
        part.findings.numbers["length"] = {
            "unit": unit,
            "total": round(scale * int(lengths.sum()), 4),
            "shortest": round(scale * int(shortest), 4),
            "median": round(scale * float(median), 4),
            "longest": round(scale * int(longest), 4),
        }
        part.findings.summary.append(
            f"{_total(scale * int(lengths.sum()), unit)}: shortest {show(int(shortest))}, "
            f"median {show(int(median))}, longest {show(int(longest))}"
        )
    compare_classes(parts, pipeline.head)
    for part in parts:
        find_rare_characters(part, pipeline.head)
        if config.id:
            find_equal_ids(part)
    compare_groups(parts, config)
    find_long_inputs(parts, show)
    find_unusual_rates(parts, pipeline.head, show)
    find_duplicates(parts, unit)
    for part in parts:
        part.findings.warnings.sort(key=lambda warning: warning[0].place)


def warning_lines(parts: Sequence[Part], most: int = 3) -> list[str]:
    """The warnings of all parts in short, for the beginning of a training: counts by kind and the first rows."""
    return [f"{part.name}: {line}" for part in parts for line in part.findings.warning_lines(most)]


def _shown(amount: float, unit: str) -> str:
    return f"{amount:.2f} s" if unit == "second" else f"{amount:g} {unit}s"


def _total(amount: float, unit: str) -> str:
    if unit != "second":
        return f"{amount:g} {unit}s"
    if amount < 120:
        return f"{amount:.1f} s"
    return f"{amount / 3600:.1f} h" if amount >= 7200 else f"{amount / 60:.1f} min"
