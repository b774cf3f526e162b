"""The image of a line of a page: cut out of the page's when it is asked for."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from seqpipe.data.pages.line import PageLine
from seqpipe.errors import InputError
from seqpipe.features.image.page_cutting import cut_line, line_shape
from seqpipe.features.image.page_image import page_pixels, page_size


def crop(line: PageLine) -> NDArray[Any]:
    """The line's image, straightened, ``[height, width]`` uint8; see `cut_line`.

    Pages are decoded once for their lines, as long as they follow one another.

    Raises:
        InputError: the page's image can't be read, or has another shape than the document says, or nothing of the line
            is on it. Document and line are named.
    """
    try:
        pixels = page_pixels(line.image)
        return cut_line(pixels, *line.scaled(pixels.shape[1], pixels.shape[0]))
    except InputError as error:
        raise InputError(error.kind, f"{line}: {error}") from None


def crop_size(line: PageLine) -> tuple[int, int]:
    """Width and height that the line's image will have; of the page's image only the header is read.

    Raises:
        InputError: as `crop` does.
    """
    try:
        width, height = page_size(line.image)
        inside = line_shape(*line.scaled(width, height), (width, height)).inside
    except InputError as error:
        raise InputError(error.kind, f"{line}: {error}") from None
    return inside.shape[1], inside.shape[0]
