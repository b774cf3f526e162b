"""A line of writing on a page, and where it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqpipe.core.input import FileSpan
from seqpipe.errors import InputError

Points = tuple[tuple[float, float], ...]
"""x to the right and y down."""

SIZES_DIFFER = 0.02
"""How far width and height of an image may disagree about its scale before it is taken for another image."""


@dataclass(frozen=True, slots=True)
class PageLine:
    """A line of a page, as an ALTO or PAGE document describes it.

    Attributes:
        image: of the whole page.
        baseline: on which the letters stand, from the line's beginning to its end.
        polygon: round everything that belongs to the line.
        id: of the line in its document; not empty.
        page: the document.
        size: width and height of the page in the unit of the points, of which the image has more or fewer pixels; None
            where the points are pixels.
    """

    image: Path
    baseline: Points
    polygon: Points
    id: str
    page: Path
    size: tuple[float, float] | None = None

    def __str__(self) -> str:
        return f"{self.page}, line {self.id}"

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> PageLine:
        """The line that `record` was made of; raises `InputError` if it is no such record."""
        try:
            size = record["size"]
            return cls(
                image=Path(record["image"]),
                baseline=tuple((float(x), float(y)) for x, y in record["baseline"]),
                polygon=tuple((float(x), float(y)) for x, y in record["polygon"]),
                id=str(record["id"]),
                page=Path(record["page"]),
                size=None if size is None else (float(size[0]), float(size[1])),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError("bad value", f"is no record of a page's line: {type(error).__name__}, {error}") from None

    def record(self) -> dict[str, Any]:
        """The line as plain data for a row of JSON, with absolute paths."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**own, "image": str(self.image.absolute()), "page": str(self.page.absolute())}

    @property
    def name(self) -> str:
        """``page:line``."""
        return f"{self.page}:{self.id}"

    @property
    def path(self) -> Path:
        """Of the page's image."""
        return self.image

    @property
    def group(self) -> Path:
        """The document: who writes pages has whole ones, and a page's image is read by one machine alone."""
        return self.page

    def identity(self) -> Hashable:
        """Name and size of the image, and where the line is on it."""
        return FileSpan(self.image).identity(), self.baseline, self.polygon, self.size

    def scaled(self, width: int, height: int) -> tuple[Points, Points]:
        """Baseline and polygon in pixels of an image of this size.

        Raises:
            InputError: the image has another shape than the document says.
        """
        if self.size is None:
            return self.baseline, self.polygon
        across, down = width / self.size[0], height / self.size[1]
        if abs(across / down - 1) > SIZES_DIFFER:
            raise InputError(
                "bad value",
                f"{self.image}: has {width} x {height} pixels, and the document describes a page of "
                f"{self.size[0]:g} x {self.size[1]:g}; is it turned or cropped?",
            )
        if (across, down) == (1.0, 1.0):
            return self.baseline, self.polygon
        return _times(self.baseline, across, down), _times(self.polygon, across, down)


def _times(points: Points, across: float, down: float) -> Points:
    return tuple((x * across, y * down) for x, y in points)
