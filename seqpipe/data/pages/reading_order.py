"""What a document says about the order of its parts, put to its regions and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeVar
from xml.etree.ElementTree import Element

from seqpipe.data.pages.document import Region

_T = TypeVar("_T")


def places_of(page: Element, references: Iterable[str], key: str) -> dict[Element, int]:
    """Elements of a page with their places, by an order that names them.

    The first time counts for what is named twice; what is not on the page is passed over.

    Args:
        page: of a document.
        references: ids, in reading order.
        key: the attribute that names elements.
    """
    named: dict[str, Element] = {}
    for element in page.iter():
        named.setdefault(element.get(key, ""), element)
    found: dict[Element, int] = {}
    for reference in references:
        if reference and reference in named:
            found.setdefault(named[reference], len(found))
    return found


def arranged(page: Element, regions: Sequence[Region], places: Mapping[Element, int]) -> tuple[Region, ...]:
    """Regions and their lines by the places that a document gives to these, or to what they lie in.

    A line stands at its own place, else at that of the first of its parts that has one, else behind the lines of its
    region that have one, else where the innermost element has one that it lies in. What no place is given to stands
    behind all that has one. At the same place the order is that in which lines are passed here.

    Args:
        page: of a document.
        regions: with their lines.
        places: from 0 on.

    Returns:
        Regions in reading order. One between whose lines others are read stands here in several pieces.
    """
    if not places:
        return tuple(regions)
    outside = inherited(page, places.get)
    keys: list[tuple[int, int]] = []
    lines = []
    for region in regions:
        own = [_own_place(line.element, places) for line in region.lines]
        last = max((place for place in own if place is not None), default=None)
        for line, place in zip(region.lines, own, strict=True):
            if place is not None:
                keys.append((place, 0))
            elif last is not None:
                keys.append((last, 1))
            else:
                keys.append((outside.get(region.element, len(places)), 0))
            lines.append((region, line))
    order = sorted(range(len(lines)), key=keys.__getitem__)
    runs = groupby((lines[at] for at in order), key=lambda pair: id(pair[0].element))
    found = []
    for _, run in runs:
        parts = list(run)
        found.append(replace(parts[0][0], lines=tuple(line for _, line in parts)))
    return tuple(found)


def _own_place(line: Element, places: Mapping[Element, int]) -> int | None:
    own = places.get(line)
    return own if own is not None else min((places[part] for part in line.iter() if part in places), default=None)


def inherited(page: Element, own: Callable[[Element], _T | None]) -> dict[Element, _T]:
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
