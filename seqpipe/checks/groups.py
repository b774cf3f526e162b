"""Speakers, writers, patients: groups whose rows should all be in one part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from seqpipe.checks.part import Part
from seqpipe.config.recipe import DataConfig
from seqpipe.core.cell import cell_text
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, did_you_mean

USUAL_NAMES = ("speaker", "speaker_id", "writer", "writer_id", "subject", "subject_id")
"""Columns that are summarised without being asked for."""


def compare_groups(parts: Sequence[Part], config: DataConfig) -> None:
    """Warn of groups with rows in two parts, if ``data.group`` names their column, and summarise them in any case.

    Where the same speakers are in train and dev by design, ``data.group`` stays null.

    Raises:
        DataError: there is no such column.
    """
    for part in parts:
        column = config.group or _usual(part)
        if column is None or not part.rows:
            continue
        if not any(column in row.columns for row in part.rows):
            near = did_you_mean(column, part.rows[0].columns)
            raise DataError(f"{part.rows[0].source}: has no column {column} (data.group){near}")
        groups = Counter(_group(row, column) for row in part.rows)
        groups.pop(None, None)
        shared = {}
        for other in parts:
            if other is not part and (both := _shared(part, groups, other, column, warn=config.group is not None)):
                shared[other.name] = both
        _summarise(part, column, groups, shared, parts, asked=config.group is not None)


def _usual(part: Part) -> str | None:
    return next((name for name in USUAL_NAMES if part.rows and name in part.rows[0].columns), None)


def _group(row: Row, column: str) -> str | None:
    return cell_text(row.columns.get(column))


def _shared(part: Part, groups: Counter[Any], other: Part, column: str, *, warn: bool) -> int:
    """How many groups of a part have rows in another one; each is warned of at its first row, if asked to."""
    there: dict[str | None, list[Row]] = {}
    for row in other.rows:
        there.setdefault(_group(row, column), []).append(row)
    seen: set[str] = set()
    for row in part.rows:
        group = _group(row, column)
        if group is None or group in seen or group not in there:
            continue
        seen.add(group)
        if warn:
            part.findings.warn(
                row,
                f"{column} in {other.name} too",
                f"{column} {group} has {_rows(groups[group])} here and {_rows(len(there[group]))} there, the first "
                f"{there[group][0].where}",
            )
    return len(seen)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _summarise(
    part: Part, column: str, groups: Counter[Any], shared: dict[str, int], parts: Sequence[Part], *, asked: bool
) -> None:
    text = f"{len(groups)} different values of {column}"
    if asked and not shared and len(parts) > 1:
        text += ", none of them in another part"
    if shared:
        text += ", " + ", ".join(f"{count} of them in {name} too" for name, count in shared.items())
        if not asked:
            text += f" (data.group={column} makes a warning of it)"
    part.findings.summary.append(text)
    part.findings.numbers["groups"] = {"column": column, "count": len(groups), "shared": shared}
