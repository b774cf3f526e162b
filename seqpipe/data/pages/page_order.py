"""PAGE: in which order regions and lines are read.

Source: PRImA PAGE-XML, page content, version 2019-07-15: ``ReadingOrder``, ``TextLine/@index``, ``@textLineOrder``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from operator import itemgetter
from typing import TypeVar
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.pages.document import Line, Region, bounds, child, number_in
from seqpipe.data.pages.reading_order import arranged, inherited, places_of

_INDEX = re.compile(r"readingOrder\s*\{[^{}]*index\s*:\s*(\d{1,9})\b")
"""Where Transkribus writes a line's place in its region. A number of more digits is none; Python refuses thousands."""
_DIRECTIONS = {"top-to-bottom": (1, 1), "bottom-to-top": (1, -1), "left-to-right": (0, 1), "right-to-left": (0, -1)}
"""Values of ``textLineOrder``: along which axis of the page's image, and whether forwards."""
MAX_LINES = 5_000
"""Of a region whose lines are put in order by where they lie. Time grows with the square: a second for these."""

_Part = TypeVar("_Part", Line, Element)


def in_reading_order(page: Element, regions: Sequence[Region]) -> tuple[Region, ...]:
    """Regions of a page, and the lines in each.

    Regions stand as ``ReadingOrder`` has them, which goes before all numbers; one that it doesn't name where the region
    is that it lies in, or behind. A region named twice is read once, and a name that no region has is passed over.
    Among those that have the same place, and where it names none, regions that lie in the same stand by Transkribus'
    numbers (``custom="readingOrder {index:0;}"``), else as they are listed. Lines of a region stand by their ``index``,
    else by Transkribus' numbers, else as they are listed, if that isn't against the ``textLineOrder`` of the region or
    of what that lies in. Numbers count where all have one, and not all the same.

    Args:
        page: of a PAGE document.
        regions: with their lines, as listed.
    """
    directions = inherited(page, lambda element: element.get("textLineOrder"))
    found = []
    for region in _by_numbers_within(page, regions):
        lines = _by_number(region.lines) or _by_direction(region.lines, directions.get(region.element))
        found.append(replace(region, lines=tuple(lines)))
    return arranged(page, found, places_of(page, _references(page), "id"))


def _references(page: Element) -> Iterator[str]:
    """Regions' ids as the reading order has them, a group's own before its members'."""
    order = child(page, "ReadingOrder")
    waiting = [] if order is None else [order]
    while waiting:
        element = waiting.pop()
        yield element.get("regionRef", "")
        inner = sorted(element, key=lambda one: number_in(one.attrib, "index") or (math.inf,))
        waiting.extend(reversed(inner))


def _by_numbers_within(page: Element, regions: Sequence[Region]) -> list[Region]:
    """Regions by the numbers that they, and those that they lie in, have among their neighbours."""
    parents = {inner: outer for outer in page.iter() for inner in outer}
    holding: set[Element] = set()
    for region in regions:  # what holds lines, and all round it
        element: Element | None = region.element
        while element is not None and element not in holding:
            holding.add(element)
            element = parents.get(element)
    places: dict[Element, int] = {}
    waiting = [(page, False)]
    while waiting:
        outer, is_read = waiting.pop()
        if is_read:
            places[outer] = len(places)
            continue
        inner = [element for element in outer if element in holding]
        waiting.append((outer, True))  # a region's own lines stand behind the regions in it
        waiting.extend((element, False) for element in reversed(_by_number(inner) or inner))
    return sorted(regions, key=lambda region: places[region.element])


def _by_number(parts: Sequence[_Part]) -> list[_Part] | None:
    """Lines or elements by the numbers that the document gives them; None unless all have one, and not all the same."""
    elements = [part.element if isinstance(part, Line) else part for part in parts]
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
