"""Images of lines as columns of ink, without torch: what `LineImage` prepares, and runtimes without it too."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import FileSpan, Segment
from seqpipe.core.measure import PIXELS
from seqpipe.core.source import Source
from seqpipe.core.suffixes import IMAGE_SUFFIXES
from seqpipe.core.warning import warn
from seqpipe.data.pages.line import PageLine
from seqpipe.errors import InputError
from seqpipe.features.image.image_file import count_pages, image_of, opened, read_brightness
from seqpipe.features.image.image_pixels import Brightness, brightness_of_array, check_shape
from seqpipe.features.image.ink import Background, Grey, Ink, contrast_of, darkness_of, stretched
from seqpipe.features.image.page_line import crop, crop_size
from seqpipe.features.image.slant import straightened

LOW_CONTRAST = 0.15
"""Of brightness between paper and ink, white being 1: pencil has 0.2 and more."""
NARROW, WIDE = 0.25, 100.0
"""Widths in heights; lines of text have from 1 to 40."""
MOSTLY_INK = 0.5
"""Share of the image: lines have 3 to 15 %."""


class InkColumns:
    """Read images of lines, find the ink and scale them to one height.

    What `seqpipe.features.image.line_image.LineImage` prepares; see there.

    Args:
        height: H, of the scaled image, in pixels.
        ink, background: see there.
        slant, skew: whether to undo them.
        max_length: columns that a scaled image may have; any number when None.
        max_pixels: of a file and of the scaled image.
    """

    suffixes = IMAGE_SUFFIXES
    measure = PIXELS
    unbinds = True

    def __init__(
        self,
        *,
        height: int = 64,
        ink: Ink = "auto",
        background: Background = "none",
        slant: bool = False,
        skew: bool = False,
        max_length: int | None = None,
        max_pixels: int = 50_000_000,
    ) -> None:
        self.height = height
        self.ink: Ink = ink
        self.background: Background = background
        self.slant, self.skew = slant, skew
        self.max_length, self.max_pixels = max_length, max_pixels

    def prepare(self, raw: Any) -> NDArray[np.uint8]:
        """Columns of ink ``[W, H]``.

        Raises:
            InputError: the file is missing, no image, empty, truncated or too large, or the array is of another kind.
        """
        ink = stretched(self._darkness(raw))
        if self.slant or self.skew:
            ink = straightened(ink, slant=self.slant, skew=self.skew)
        return np.ascontiguousarray(np.rint(ink * 255).astype(np.uint8).T)

    def length(self, raw: Any) -> int:
        """How many columns `prepare` will give; of a file from its header alone."""
        return self._width(raw, *self._size(raw))

    def _size(self, raw: Any) -> tuple[int, int]:
        """Width and height of the input, in pixels."""
        if isinstance(raw, PageLine):  # is not cut for it
            return crop_size(raw)
        array = _array_of(raw)
        if array is not None:
            return array.shape[1], array.shape[0]
        with opened(image_of(raw), max_pixels=self.max_pixels) as found:
            return found.width, found.height

    def _width(self, raw: Any, width: int, height: int) -> int:
        """Of the scaled image."""
        scaled = max(1, (2 * width * self.height + height) // (2 * height))
        if self.max_length is not None and scaled > self.max_length:
            raise InputError(
                "too large", f"{name_of(raw)}: is {scaled} columns wide; {self.max_length} are allowed (max_length)"
            )
        if scaled * self.height > self.max_pixels:
            raise InputError(
                "too large",
                f"{name_of(raw)}: {width} x {height} pixels, are {scaled} columns at a height of {self.height}; "
                f"{self.max_pixels} pixels are allowed (max_pixels)",
            )
        return scaled

    def _darkness(self, raw: Any) -> Grey:
        return darkness_of(self._scaled(raw), ink=self.ink, background=self.background)

    def _scaled(self, raw: Any) -> Grey:
        """Brightness ``[H, W]``, 0 to 1, of the right height."""
        array = _array_of(raw)
        if array is not None:
            pixels = brightness_of_array(array, name_of(raw))
            return _resized(pixels, self._width(raw, *pixels.size), self.height)
        image = image_of(raw)
        with opened(image, max_pixels=self.max_pixels) as found:
            if image.page is None and found.pages > 1:
                warn("several pages", f"{name_of(raw)}: the file has {found.pages:,} pages; the first is read")
            width = self._width(raw, found.width, found.height)
            return _resized(read_brightness(found, width=width, height=self.height), width, self.height)

    def warnings(self, raw: Any, prepared: NDArray[Any]) -> list[tuple[str, str]]:
        """``blank``, ``low contrast``, ``mostly ink``, ``lower resolution``, ``unusual shape``."""
        found = []
        name = name_of(raw)
        width, height = self._size(raw)
        if not bool(prepared.any()):
            found.append(("blank", f"{name}: the whole image is of one brightness"))
        else:
            paper, ink = contrast_of(self._darkness(raw))
            if ink - paper < LOW_CONTRAST:
                found.append(("low contrast", f"{name}: paper and ink differ by {ink - paper:.1%} of full scale"))
            share = float((prepared > 127).mean())
            if share > MOSTLY_INK:
                found.append(("mostly ink", f"{name}: {share:.0%} of it is ink; is it `ink: dark` or `ink: light`?"))
        if 2 * height < self.height:
            found.append(
                ("lower resolution", f"{name}: {height} pixels high; the recipe's {self.height} add nothing to them")
            )
        aspect = width / height
        if not NARROW <= aspect <= WIDE:
            found.append(("unusual shape", f"{name}: {width} x {height} pixels; is that a line of writing?"))
        return found

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """The pages of a TIFF that has several."""
        if isinstance(raw, (np.ndarray, PageLine)):
            return None
        image = image_of(raw)
        count = 1 if image.page is not None else count_pages(image)
        if count == 1:
            return None
        return [(f"#{number}", replace(image, page=number)) for number in range(1, count + 1)]

    def source(self, raw: Any) -> Source:
        """Places are pixels of the input."""
        return LineSource(self, raw)

    def scale(self, raw: Any) -> float:
        """Pixels of the input in a column; 1 of a file that is gone since it was read."""
        try:
            width, height = self._size(raw)
            return width / self._width(raw, width, height)
        except InputError:
            return 1.0

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """A line stays whole."""
        return None

    def opened(self) -> AbstractContextManager[None]:
        """Pages are kept by themselves (`page_image`)."""
        return nullcontext()

    def locate(self, prepared: NDArray[Any], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Columns are what `source` scales to pixels of the input."""
        return steps


class LineSource(Source):
    """A line as answers refer to it; its file's header is read where a place is asked for, as few heads do."""

    line: InkColumns
    raw: Any

    def __init__(self, line: InkColumns, raw: Any) -> None:
        vars(self).update(line=line, raw=raw)  # the base is frozen, and its scale is found below

    @property
    def scale(self) -> float:
        """Pixels of the input in a column; see `InkColumns.scale`."""
        return self.line.scale(self.raw)


def name_of(raw: Any) -> str:
    """For messages."""
    if isinstance(raw, bytes):
        return str(FileSpan(raw))
    return "image array" if isinstance(raw, np.ndarray) else str(raw)


def _array_of(raw: Any) -> Any:
    """Of what is an array, or a page's line; else None."""
    if not isinstance(raw, (np.ndarray, PageLine)):
        return None
    array = crop(raw) if isinstance(raw, PageLine) else raw
    check_shape(array, name_of(raw))
    return array


def _resized(image: Brightness, width: int, height: int) -> Grey:
    from PIL import Image

    if image.size != (width, height):
        # Filters without negative lobes: others write halos around ink, and cut them off at white in 8 bits alone.
        smaller = height <= image.height
        method = Image.Resampling.HAMMING if smaller else Image.Resampling.BILINEAR
        # Reduced by a whole factor first, to at least three times the size: as good to the eye, and much faster.
        image = image.resize((width, height), method, reducing_gap=3.0)
    values = np.asarray(image, dtype=np.float32)
    return values / np.float32(255) if image.mode == "L" else np.clip(values, 0, 1)
