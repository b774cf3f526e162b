"""The part of a recording that a row is: columns of its start, its end or duration, and its channel."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from seqpipe.core.input import FileSpan
from seqpipe.core.naming import Naming
from seqpipe.data.rows import Row
from seqpipe.errors import InputError

Key = Literal["start", "end", "duration", "channel"]
USUAL: dict[Key, tuple[str, ...]] = {
    "start": ("start", "offset", "start_time", "begin"),
    "end": ("end", "end_time"),
    "duration": ("duration",),
}
"""What manifests call these columns: ``offset`` and ``duration`` are NeMo's."""
TO_THE_END = -1.0
"""An end, or a duration, that stands for the end of the file, as in Kaldi's segments."""
ROUNDING = 0.1
"""Seconds by which a stated duration may be shorter than the recording: many are rounded."""


class Span(NamedTuple):
    """As `FileSpan` takes it.

    Attributes:
        start: seconds from the beginning of the file.
        end: seconds from the beginning of the file, or None for its end.
        channel: from 1, or None.
    """

    start: float = 0.0
    end: float | None = None
    channel: int | None = None


def span_columns(config: Naming) -> Iterator[tuple[str, Key]]:
    """The columns of spans that a recipe names, each with its key."""
    named: dict[Key, str | None] = {
        "start": config.start,
        "end": config.end,
        "duration": config.duration,
        "channel": config.channel,
    }
    yield from ((column, key) for key, column in named.items() if column)


def read_span(columns: Mapping[str, Any], config: Naming) -> Span:
    """The span of a row; an empty cell, or none, is the beginning or the end of the file, or no channel.

    Raises:
        InputError: a cell holds no seconds, or no channel; its column is named.
    """
    cells = {key: (columns.get(name), name) for name, key in span_columns(config)}
    start = _seconds(*cells["start"]) if "start" in cells else None
    end = _seconds_or_end(*cells["end"]) if "end" in cells else None
    if "duration" in cells and (duration := _seconds_or_end(*cells["duration"])) is not None:
        end = (start or 0.0) + duration
    return Span(start or 0.0, end, _channel(*cells["channel"]) if "channel" in cells else None)


def unread_spans(row: Row, config: Naming) -> str | None:
    """What to tell the user where a source has columns of spans that the recipe doesn't read; else None.

    A duration alone is mostly that of the whole file, and tells nothing; see `shorter_than_read`.
    """
    if not isinstance(row.input, FileSpan):
        return None
    found = {key: name for key, names in USUAL.items() for name in names[::-1] if name in row.columns}
    reads_start, reads_end = config.start is not None, config.end is not None or config.duration is not None
    if reads_start and not reads_end and (name := found.get("end") or found.get("duration")):
        key = "end" if "end" in found else "duration"
        return f"has a column {name}, and the recipe names no data.{key}, so files are read from the start to their end"
    if reads_start or reads_end or not found.keys() & {"start", "end"}:
        return None
    names, keys = " and ".join(found.values()), " and ".join(f"data.{key}" for key in found)
    plural = "s" if len(found) > 1 else ""
    a = "" if plural else "a "
    return f"has {a}column{plural} {names}, and the recipe names no {keys}, so whole files are read"


def shorter_than_read(row: Row, seconds: float, config: Naming) -> str | None:
    """What to tell the user where the column ``duration``, which the recipe doesn't read, states less than is read.

    Args:
        row: of a source.
        seconds: what is read of its recording.
        config: the recipe's ``data``.
    """
    stated = row.columns.get("duration")
    if config.duration or config.end or not isinstance(row.input, FileSpan) or stated is None:
        return None
    told = _number(stated)
    if not 0 < told < seconds - ROUNDING:
        return None
    return (
        f"{row.input}: the column duration says {told:g} s, and {seconds:.2f} s are read; if it is a part of the "
        "recording, name the column as data.duration"
    )


def _number(value: Any) -> float:
    """What a cell says; nan where that is no number."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _seconds(value: Any, name: str) -> float | None:
    if value is None or value == "":
        return None
    seconds = _number(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError("bad value", f"{name} should be seconds, at least 0; received {value!r}")
    return seconds


def _seconds_or_end(value: Any, name: str) -> float | None:
    if _number(value) == TO_THE_END:
        return None
    try:
        return _seconds(value, name)
    except InputError as error:
        raise InputError(error.kind, f"{error} (-1 is the end of the file)") from None


def _channel(value: Any, name: str) -> int | None:
    """From 1; None where a cell is empty."""
    written = str(value if value is not None else "").strip().upper()
    if not written:
        return None
    if written in ("A", "B"):  # of telephone conversations, in NIST's formats
        return 1 + "AB".index(written)
    written = re.sub(r"\.0+$", "", written)  # of a table in which some rows have none, whole numbers are floats
    if not (written.isascii() and written.isdigit()) or not 1 <= int(written[:9]) < 10_000:
        raise InputError(
            "bad value", f"{name} should be the number of a channel, from 1, or A or B; received {value!r}"
        )
    return int(written)
