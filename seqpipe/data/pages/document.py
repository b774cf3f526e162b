"""A document about a page: what ALTO and PAGE have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element

from seqpipe.data.formats.safe_xml import local_name
from seqpipe.data.pages.line import Points
from seqpipe.errors import InputError

Kind = Literal["alto", "page"]
Doubt = Literal["emptied", "of parts"]
"""Of a line's text: the reading that counts is empty, and another one, or that of a part, is not; or the line has
readings of its own, all empty, so that the text is that of its parts."""
STEP = "text recognition"
"""What a document says was done by the program that wrote its text."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
FARTHEST = 1e6
"""Of a coordinate. The longest sheet of paper is shorter in any unit; what is farther out is a mistake, and sums and
squares of it may leave the range of numbers."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as its document has it.

    Attributes:
        id: of no other line of the page; without colons, slashes and white space.
        element: in the document.
        baseline: or nothing.
        polygon: or nothing.
        box: or None.
        text: transcription; empty where there is none.
        problem: what is wrong with its points; else empty.
        doubt: what is odd about the text; see `Doubt`.
    """

    id: str
    element: Element
    baseline: Points
    polygon: Points
    box: Box | None
    text: str
    problem: str = ""
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """Lines that stand together.

    Attributes:
        id: in the document; may be empty.
        element: in the document.
        polygon: or nothing.
        lines: in reading order.
    """

    id: str
    element: Element
    polygon: Points
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class PageDocument:
    """A page.

    Attributes:
        path: of the document.
        kind: what it is written in.
        root: the document itself.
        image: name of the image's file, as the document gives it; may be empty.
        size: width and height of the page in the unit of all points; None where it isn't told.
        in_pixels: whether that unit is the pixel of the image.
        regions: in reading order; one between whose lines others are read stands here in several pieces.
    """

    path: Path
    kind: Kind
    root: Element
    image: str
    size: tuple[float, float] | None
    in_pixels: bool
    regions: tuple[Region, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Of all regions, in reading order."""
        return tuple(line for region in self.regions for line in region.lines)


def only_page(root: Element, path: Path) -> Element:
    """The page of a document; raises `InputError` if there is none, or more than one."""
    pages = [element for element in root.iter() if local_name(element) == "Page"]
    if len(pages) != 1:
        raise InputError("bad value", f"{path}: describes {len(pages)} pages; give a document for each page")
    return pages[0]


def read_regions(
    page: Element, key: str, read_line: Callable[[Element, str], Line], outline: Callable[[Element], Points]
) -> list[Region]:
    """What holds lines, in the order of the document.

    Args:
        page: of the document.
        key: the attribute that names elements.
        read_line: makes a line of its element and id.
        outline: of the element of a region.
    """
    parents = {inner: outer for outer in page.iter() for inner in outer}
    regions: dict[Element, list[Line]] = {}
    for element, name in named_lines(page, key).items():
        regions.setdefault(parents[element], []).append(read_line(element, name))
    return [Region(outer.get(key, ""), outer, outline(outer), tuple(lines)) for outer, lines in regions.items()]


def named_lines(page: Element, key: str) -> dict[Element, str]:
    """All lines with their ids, in the order of the document; ``key`` is the attribute that names them.

    A line without id goes by its number (``line3``), and one whose id another had before by that and a number.
    """
    names: dict[Element, str] = {}
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # of names that many lines want, where to go on: from 2 again would take their square
    for number, element in enumerate((one for one in page.iter() if local_name(one) == "TextLine"), 1):
        wanted = name = re.sub(r"[:/\s]+", "_", element.get(key, "").strip()) or f"line{number}"
        while name in taken:
            numbers[wanted] = numbers.get(wanted, 1) + 1
            name = f"{wanted}~{numbers[wanted]}"
        taken.add(name)
        names[element] = name
    return names


def children(element: Element, name: str) -> list[Element]:
    """Elements of this name directly in another one."""
    return [child for child in element if local_name(child) == name]


def child(element: Element, name: str) -> Element | None:
    """The first of them."""
    return next(iter(children(element, name)), None)


def remove_children(element: Element, names: Collection[str], *, but: Element | None = None) -> None:
    """Take elements of these names out of another one, all ``but`` one."""
    for part in list(element):
        if local_name(part) in names and part is not but:
            element.remove(part)


def parse_points(text: str) -> Points:
    """``1,2 3,4`` or ``1 2 3 4`` as points; raises `ValueError` if it is something else, or one is beyond `FARTHEST`.

    Example:
        >>> parse_points("10,20 30.5,40")
        ((10.0, 20.0), (30.5, 40.0))
    """
    numbers = [float(part) for part in re.split(r"[\s,]+", text.strip()) if part]
    if len(numbers) % 2 or not all(map(is_near, numbers)):
        raise ValueError(f"no pairs of numbers up to {FARTHEST:.0f}")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def number_in(attributes: Mapping[str, str], *names: str) -> tuple[float, ...] | None:
    """Attributes as numbers; None unless all are there, and such, and none is beyond `FARTHEST`."""
    try:
        values = tuple(float(attributes[name]) for name in names)
    except (KeyError, ValueError):
        return None
    return values if all(map(is_near, values)) else None


def is_near(number: float) -> bool:
    """Whether a number is finite and not beyond `FARTHEST`."""
    return abs(number) <= FARTHEST  # never true of NaN


def bounds(points: Iterable[tuple[float, float]]) -> Box | None:
    """The box round points; None if there are none."""
    given = list(points)
    if not given:
        return None
    across, down = zip(*given, strict=True)
    return min(across), min(down), max(across), max(down)


def corners(box: Box) -> Points:
    """A box as a polygon, from its upper left corner on, clockwise."""
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def shortened(text: str) -> str:
    """For messages."""
    return text if len(text) <= 60 else f"{text[:60]}..."
