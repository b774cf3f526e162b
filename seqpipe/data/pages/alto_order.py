"""ALTO: in which order blocks and lines are read.

Source: altoxml/schema, version 4.4: ``ReadingOrder`` (since 4.3), ``BlockType/@IDNEXT``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from seqpipe.data.pages.document import Region, child
from seqpipe.data.pages.reading_order import arranged, places_of


def in_reading_order(root: Element, page: Element, regions: Sequence[Region]) -> tuple[Region, ...]:
    """Blocks of a page, and the lines in each.

    They stand as ``ReadingOrder`` has them, whose groups may name blocks, lines, strings and glyphs; where there is
    none, or it names nothing of the page, as blocks follow one another by ``IDNEXT``; else as they are listed. Of
    several orders the first counts, and a later one for what that doesn't name; members of a group without order stand
    as listed. What isn't named stands behind; see `arranged`.

    Args:
        root: of an ALTO document.
        page: its only one.
        regions: with their lines, as listed.
    """
    places = places_of(page, _references(root), "ID") or places_of(page, _linked(page), "ID")
    return arranged(page, regions, places)


def _references(root: Element) -> Iterator[str]:
    """What the reading order names, a group that refers to something before its members."""
    order = child(root, "ReadingOrder")
    for element in () if order is None else order.iter():
        yield from element.get("REF", "").split()


def _linked(page: Element) -> Iterator[str]:
    """Blocks that say which comes next, or are said to, chain after chain.

    A chain begins at a block that follows none, or, of blocks that follow one another in a circle, at the one that is
    listed first. It ends where the next one is missing, or has been read.
    """
    following: dict[str, str] = {}
    for element in page.iter():
        name, after = element.get("ID", ""), element.get("IDNEXT", "").strip()
        if name and after and after != name:
            following.setdefault(name, after)
    followers = set(following.values())
    read: set[str] = set()
    for first in (*(name for name in following if name not in followers), *following):
        current: str | None = first
        while current is not None and current not in read:
            read.add(current)
            yield current
            current = following.get(current)
