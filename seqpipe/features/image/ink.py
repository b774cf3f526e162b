"""Which pixels are ink: polarity, uneven light and contrast of the image of a line."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ink = Literal["auto", "dark", "light"]
Background = Literal["none", "local"]
Grey = NDArray[np.float32]
"""``[H, W]``, 0 to 1."""

LEAST_RANGE = 1 / 16
"""Of brightness between paper and ink: less is not stretched to the whole range, which would make ink of noise."""
BLANK_RANGE = 2 / 255
"""Of brightness: a single step of 8 bits to both sides is no writing."""
DARKEST = 2 / 255
"""Of brightness, added before dividing by it: next to black, noise would be ink."""
INK_SHARE = 0.005
"""Of an image's pixels that are as dark as its ink is: lines have 3 to 15 %."""


def is_dark(brightness: Grey) -> bool:
    """Whether ink is darker than paper.

    Ink is what there is less of, so its pixels differ more from the mean of their surroundings than those of paper do:
    whether the squares of all differences, with their signs, add up to less than nothing. Surroundings are as wide as
    the image is high, so that a shadow over a part of it changes nothing. True if nothing differs.
    """
    from PIL import Image, ImageFilter

    low, high = float(brightness.min()), float(brightness.max())
    if high - low <= BLANK_RANGE:
        return True
    image = Image.fromarray(((brightness - low) * (255 / (high - low))).astype(np.uint8))
    image = image.reduce(max(1, image.height // 32))  # enough to tell, and some milliseconds less
    around = image.filter(ImageFilter.BoxBlur(max(1, image.height // 2)))
    differences = np.asarray(image, dtype=np.float32) - np.asarray(around, dtype=np.float32)
    return float((differences * np.abs(differences)).sum()) <= 0


def even_light(brightness: Grey, *, dark: bool) -> Grey:
    """Brightness in shares of that of the paper, estimated from place to place; 1 and less whatever the ink is.

    The image is divided into tiles of a quarter of its height. In each, the paper is as bright as the pixel that 80 %
    of it are darker than; the median of a tile and its neighbours leaves out those that ink fills; between tiles it is
    interpolated.

    Args:
        brightness: ``[H, W]``, 0 to 1.
        dark: whether the ink is darker than the paper. If not, it is the paper's share in the ink that is given.
    """
    from PIL import Image

    height, width = brightness.shape
    size = max(1, round(height / 4))
    rows, columns = -(-height // size), -(-width // size)
    whole = np.pad(brightness, ((0, rows * size - height), (0, columns * size - width)), mode="edge")
    tiles = whole.reshape(rows, size, columns, size).transpose(0, 2, 1, 3).reshape(rows, columns, size * size)
    place = int((0.8 if dark else 0.2) * (size * size - 1))
    paper = np.partition(tiles, place, axis=2)[:, :, place]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(paper, 1, mode="edge"), (3, 3))
    paper = np.median(around, axis=(2, 3)).astype(np.float32)
    full = Image.fromarray(paper).resize((columns * size, rows * size), Image.Resampling.BICUBIC)
    paper = np.clip(np.asarray(full)[:height, :width], 0, 1) + DARKEST
    ratio = (brightness + DARKEST) / paper if dark else paper / (brightness + DARKEST)
    return np.minimum(ratio, 1)


def contrast_of(darkness: Grey) -> tuple[float, float]:
    """The darkness of paper and of ink: the median, and what only one pixel of 200 is above.

    A short word on much paper has less ink than that: so ink is at least half as far from the paper as the darkest
    pixel. Where the median is nearer to the ink, more than half of the image is ink (or in shadow): the paper is then
    what only one pixel of 200 is below.
    """
    flat = darkness.ravel()
    middle, most = len(flat) // 2, min(len(flat) - 1, int((1 - INK_SHARE) * len(flat)))
    least = len(flat) - 1 - most
    ordered = np.partition(flat, (least, middle, most))
    lowest, paper, ink = (float(ordered[place]) for place in (least, middle, most))
    if paper - lowest > ink - paper:
        paper = lowest
    return paper, max(ink, paper + (float(ordered[most:].max()) - paper) / 2)


def stretched(darkness: Grey) -> Grey:
    """Ink from 0 (paper) to 1: the contrast of every image is the same, but for those that have next to none."""
    if float(darkness.max()) - float(darkness.min()) <= BLANK_RANGE:
        return np.zeros_like(darkness)
    paper, ink = contrast_of(darkness)
    return np.clip((darkness - paper) / max(ink - paper, LEAST_RANGE), 0, 1)


def darkness_of(brightness: Grey, *, ink: Ink, background: Background) -> Grey:
    """Brightness ``[H, W]`` as darkness, of the paper low and of the ink high, both 0 to 1."""
    dark = ink == "dark" or (ink == "auto" and is_dark(brightness))
    if background == "local":
        return 1 - even_light(brightness, dark=dark)
    return 1 - brightness if dark else brightness
