"""The same input twice, in one part or in two, and the same id twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from seqpipe.data.checks.part import Part
from seqpipe.data.rows import Row


def find_duplicates(parts: Sequence[Part]) -> None:
    """Warn of inputs with equal content (what the first stage made of them; not the path), once for each row.

    A later row of the same part is named with the first one; a row whose input is in another part too, with the first
    one there, on both sides. That the targets differ is a kind of its own: one of them must be wrong.
    """
    found: dict[bytes, list[tuple[int, Row]]] = defaultdict(list)
    for number, part in enumerate(parts):
        for row, look in zip(part.rows, part.looks, strict=True):
            # Inputs in which nothing varies are equal to each other, and named for that already.
            if look.content is not None and not any(kind in ("silent", "constant") for kind, _ in look.suspicions):
                found[look.content].append((number, row))
    for same in found.values():
        first: dict[int, Row] = {}
        for number, row in same:
            if number in first:
                _warn(parts[number], row, first[number], "duplicate")
            first.setdefault(number, row)
        for number, row in first.items():
            for other, there in first.items():
                if other != number:
                    _warn(parts[number], row, there, f"in {parts[other].name} too")


def _warn(part: Part, row: Row, other: Row, kind: str) -> None:
    if row.target == other.target:
        part.findings.warn(row, kind, f"the same input as {other.where}, and the same target")
    else:
        kind += ", with another target"
        part.findings.warn(
            row, kind, f"the same input as {other.where}, with the target {row.target!r}, there {other.target!r}"
        )


def find_equal_ids(part: Part) -> None:
    """Warn of ids that stand twice: results could not be told apart."""
    first: dict[str, Row] = {}
    for row in part.rows:
        if row.id in first:
            part.findings.warn(row, "duplicate id", f"row {first[row.id].number} has the same id")
        first.setdefault(row.id, row)
