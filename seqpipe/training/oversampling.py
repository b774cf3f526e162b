"""Rows that an epoch has several times, since train has few of their kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from seqpipe.checks.part import Part
from seqpipe.config.recipe import OversamplingConfig
from seqpipe.errors import DataError


def oversample(part: Part, config: Sequence[OversamplingConfig]) -> list[str]:
    """Repeat rows of a part, in place; the copies stand behind all rows, each with randomness of its own.

    A row that several entries mean is there as often as the greatest of them says.

    Returns:
        What to tell the user, a line an entry.

    Raises:
        DataError: an entry means none of the rows.
    """
    times = [1] * len(part.rows)
    messages = []
    for entry in config:
        pattern = re.compile(entry.target)
        places = [place for place, row in enumerate(part.rows) if _matches(pattern, row.target)]
        if not places:
            raise DataError(
                f"data.oversample: no target of train matches {entry.target!r} as a whole; the first one is "
                f"{part.rows[0].target!r:.60}"
            )
        for place in places:
            times[place] = max(times[place], entry.times)
        messages.append(f"an epoch has {len(places)} rows {entry.times} times: targets {entry.target!r}")
    for again in range(1, max(times, default=1)):
        places = [place for place, count in enumerate(times) if count > again]
        part.rows += [part.rows[place] for place in places]
        part.inspections += [part.inspections[place] for place in places]
        part.targets += [part.targets[place] for place in places]
    return messages


def _matches(pattern: re.Pattern[str], target: Any) -> bool:
    parts = target if isinstance(target, (list, tuple)) else [target]
    return any(pattern.fullmatch(str(part)) for part in parts)
