"""The same input twice, in one part or in two, and the same id twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from seqpipe.checks.findings import shortened
from seqpipe.checks.part import Part
from seqpipe.core.cell import same_cells
from seqpipe.core.measure import STEPS, Measure
from seqpipe.data.rows import Row


def find_duplicates(parts: Sequence[Part], measure: Measure = STEPS) -> None:
    """Warn of inputs with equal content (what the first stage made of them; not the path), once for each row.

    A later row of the same part is named with the first one; a row whose input is in another part too, with the first
    one there, on both sides. That the targets differ is a kind of its own: one of them must be wrong.

    Short texts are alike by chance, so those with the same target are counted in the summary alone.

    Args:
        parts: each with its rows and inspections.
        measure: of the inputs' lengths, which says what is trivial: treebanks' phrases, "thank you".
    """
    repeated = [0] * len(parts)
    short: dict[tuple[str, int], bool] = {}
    found: dict[bytes, list[tuple[int, Row]]] = defaultdict(list)
    for number, part in enumerate(parts):
        for row, inspection in zip(part.rows, part.inspections, strict=True):
            # Inputs in which nothing varies are equal to each other, and named for that already.
            if inspection.content is not None and not any(
                kind in ("silent", "blank", "constant") for kind, _ in inspection.warnings
            ):
                found[inspection.content].append((number, row))
            short[row.place] = inspection.length <= measure.trivial
    for same in found.values():
        first: dict[int, Row] = {}
        for number, row in same:
            if number in first:
                if short[row.place] and same_cells(row.target, first[number].target):
                    repeated[number] += 1
                else:
                    _warn(parts[number], row, first[number], "duplicate")
            first.setdefault(number, row)
        for number, row in first.items():
            for other, there in first.items():
                if other != number and not (short[row.place] and same_cells(row.target, there.target)):
                    _warn(parts[number], row, there, f"in {parts[other].name} too")
    for part, count in zip(parts, repeated, strict=True):
        if count:
            part.findings.summary.append(
                f"{count} of the rows repeat an earlier text of at most {measure.trivial} {measure.name}s, with its "
                "target"
            )


def _warn(part: Part, row: Row, other: Row, kind: str) -> None:
    if same_cells(row.target, other.target):
        part.findings.warn(row, kind, f"the same input as {other.where}, and the same target")
    else:
        kind += ", with another target"
        own, there = _differing(row.target, other.target)
        part.findings.warn(row, kind, f"the same input as {other.where}, with the target {own}, there {there}")


def _differing(own: Any, there: Any) -> tuple[str, str]:
    """Two targets, shortened to where they differ; of lists of the same length, the first item that does."""
    if isinstance(own, (list, tuple)) and isinstance(there, (list, tuple)) and len(own) == len(there):
        places = [place for place, pair in enumerate(zip(own, there, strict=True)) if not same_cells(*pair)]
        more = f" (and {len(places) - 1} more differ)" if len(places) > 1 else ""
        return f"{shortened(own[places[0]])} at word {places[0] + 1}", f"{shortened(there[places[0]])}{more}"
    one, other = shortened(own), shortened(there)
    if one == other:
        one, other = repr(own), repr(there)
        same = next((n for n, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), 0)
        one, other = (f"... {shortened(text[max(0, same - 20) :])}" for text in (one, other))
    return one, other


def find_equal_ids(part: Part) -> None:
    """Warn of ids that stand twice: results could not be told apart."""
    first: dict[str, Row] = {}
    for row in part.rows:
        if row.id in first:
            part.findings.warn(row, "duplicate id", f"row {first[row.id].number} has the same id")
        first.setdefault(row.id, row)
