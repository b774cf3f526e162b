"""Tiers of intervals, as Praat reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

DIGITS = 4
"""Of a second: places are known to some milliseconds, and 0.1 ms is what answers have."""


class _Interval(NamedTuple):
    start: float
    end: float
    text: str


def textgrid_text(*records: dict[str, Any]) -> str:
    """A TextGrid in the long form: tiers ``words`` and ``units``, and ``lines`` of a text that has several.

    A tier divides the recording without a gap, so what lies between is an empty interval; of intervals that overlap
    (channels, parts that overlap), the later one begins where the earlier one ends. What has no length has none in
    Praat either, and gets 0.1 ms where there is room.

    Args:
        records: of a recording's answers with words and tokens; start and end in seconds.

    Source: Praat's manual, "TextGrid file formats".
    """
    tiers = {
        "words": _placed(record["words"] for record in records),
        "units": _placed(record.get("tokens") for record in records),
        "lines": _placed(record.get("lines") for record in records),
    }
    known = [float(record["length"]) for record in records if record.get("length") is not None]
    end = max([*known, *(own.end for found in tiers.values() for own in found)], default=0.0) or 10.0**-DIGITS
    shown = {name: list(_without_gaps(found, end)) for name, found in tiers.items() if found or name != "lines"}
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_number(end)}"]
    lines += ["tiers? <exists>", f"size = {len(shown)}", "item []:"]
    for number, (name, intervals) in enumerate(shown.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {_number(end)}", f"        intervals: size = {len(intervals)}"]
        for index, own in enumerate(intervals, 1):
            lines += [f"        intervals [{index}]:", f"            xmin = {_number(own.start)}"]
            lines += [f"            xmax = {_number(own.end)}", f"            text = {_quoted(own.text)}"]
    return "\n".join(lines) + "\n"


def _placed(items: Iterable[Any]) -> list[_Interval]:
    """In the order of their beginnings; spaces between words are none."""
    found = [
        _Interval(round(item["start"], DIGITS), round(item["end"], DIGITS), text)
        for own in items
        for item in own or ()
        if (text := " ".join(item["text"].split()))
    ]
    return sorted(found, key=lambda own: (own.start, own.end))


def _without_gaps(found: Iterable[_Interval], end: float) -> Iterator[_Interval]:
    """Intervals from 0 to ``end``, each beginning where the one before it ends."""
    least = 10.0**-DIGITS
    at = 0.0
    for own in found:
        start = max(at, own.start)
        stop = min(end, max(own.end, start + least))
        if stop - start < least / 2:
            continue
        if start - at >= least / 2:
            yield _Interval(at, start, "")
        yield _Interval(start if start - at >= least / 2 else at, stop, own.text)
        at = stop
    if end - at >= least / 2:
        yield _Interval(at, end, "")


def _number(place: float) -> str:
    return f"{place:.{DIGITS}f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
