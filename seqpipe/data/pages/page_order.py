"""PAGE: in which order regions and lines are read.

Source: PRImA PAGE-XML, page content, version 2019-07-15: ``ReadingOrder``, ``TextLine/@index``, ``@textLineOrder``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from operator import itemgetter
from typing import TypeVar
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.pages.document import Line, Region, bounds, child, number_in

_INDEX = re.compile(r"readingOrder\s*\{[^{}]*index\s*:\s*(\d{1,9})\b")
"""Where Transkribus writes a line's place in its region. A number of more digits is none; Python refuses thousands."""
_DIRECTIONS = {"top-to-bottom": (1, 1), "bottom-to-top": (1, -1), "left-to-right": (0, 1), "right-to-left": (0, -1)}
"""Values of ``textLineOrder``: along which axis of the page's image, and whether forwards."""
MAX_LINES = 5_000
"""Of a region whose lines are put in order by where they lie. Time grows with the square: a second for these."""

_T = TypeVar("_T")
_Part = TypeVar("_Part", Line, Region)


def in_reading_order(page: Element, regions: Sequence[Region]) -> tuple[Region, ...]:
    """Regions of a page, and the lines in each.

    Regions stand as ``ReadingOrder`` has them; one that it doesn't name where the region is that it lies in, or behind.
    A page without it may have Transkribus' numbers. Lines of a region stand by their ``index``, else by Transkribus'
    numbers, else as they are listed, if that isn't against the ``textLineOrder`` of the region or of what that lies in.

    Args:
        page: of a PAGE document.
        regions: with their lines, as listed.
    """
    order = _reading_order(page)
    places = _inherited(page, lambda element: order.get(element.get("id", "")))
    directions = _inherited(page, lambda element: element.get("textLineOrder"))
    listed = regions if order else _by_number(regions) or regions
    found = []
    for region in sorted(listed, key=lambda region: places.get(region.element, len(order))):
        lines = _by_number(region.lines) or _by_direction(region.lines, directions.get(region.element))
        found.append(replace(region, lines=tuple(lines)))
    return tuple(found)


def _reading_order(page: Element) -> dict[str, int]:
    """Regions' ids with their places, as the document says."""
    order = child(page, "ReadingOrder")
    found: dict[str, int] = {}
    waiting = [] if order is None else [order]
    while waiting:
        element = waiting.pop()
        reference = element.get("regionRef")
        if reference:
            found.setdefault(reference, len(found))
        inner = sorted(element, key=lambda one: number_in(one.attrib, "index") or (math.inf,))
        waiting.extend(reversed(inner))
    return found


def _inherited(page: Element, own: Callable[[Element], _T | None]) -> dict[Element, _T]:
    """What elements say of themselves, else what those say that they are in; nothing of the others."""
    found: dict[Element, _T] = {}
    waiting: list[tuple[Element, _T | None]] = [(page, None)]
    while waiting:
        element, outside = waiting.pop()
        said = own(element)
        value = outside if said is None else said
        if value is not None:
            found[element] = value
        waiting.extend((inner, value) for inner in element)
    return found


def _by_number(parts: Sequence[_Part]) -> list[_Part] | None:
    """Lines or regions by the numbers that the document gives them; None unless all have one, and not all the same."""
    elements = [part.element for part in parts]
    for numbers in (
        [found[0] for element in elements if (found := number_in(element.attrib, "index"))],
        [float(match[1]) for element in elements if (match := _INDEX.search(element.get("custom", "")))],
    ):
        if len(numbers) == len(parts) and len(set(numbers)) > 1:
            return [part for _, part in sorted(zip(numbers, parts, strict=True), key=itemgetter(0))]
    return None


def _by_direction(lines: Sequence[Line], direction: str | None) -> Sequence[Line]:
    """As listed, but a line behind those that it follows in this direction of the page, and with which it is in line.

    So columns within a region are read one after the other, and parts of a line from the first to the last.
    """
    if direction not in _DIRECTIONS or len(lines) > MAX_LINES:
        return lines
    nowhere = (np.nan,) * 4  # beside nothing
    boxes = np.array([bounds(line.polygon or line.baseline) or nowhere for line in lines])
    axis, sign = _DIRECTIONS[direction]
    middle, extent = sign * (boxes[:, axis] + boxes[:, axis + 2]) / 2, boxes[:, axis + 2] - boxes[:, axis]
    start, end = boxes[:, 1 - axis], boxes[:, 3 - axis]

    def behind(one: int) -> NDArray[np.bool_]:
        shared = np.minimum(end, end[one]) - np.maximum(start, start[one])
        in_line = shared >= np.minimum(end - start, end[one] - start[one]) / 2
        return in_line & (middle - middle[one] > np.maximum(extent, extent[one]) / 2)

    ahead = np.zeros(len(lines), np.int64)  # how many of those still to come go before each
    for one in range(len(lines)):
        ahead += behind(one)
    ready = [int(one) for one in np.flatnonzero(ahead == 0)]  # a heap: the first listed goes first
    found = []
    while ready:
        one = heappop(ready)
        found.append(lines[one])
        followers = behind(one)
        ahead -= followers
        for other in np.flatnonzero(followers & (ahead == 0)):
            heappush(ready, int(other))
    return found
