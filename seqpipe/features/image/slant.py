"""Writing made upright and level: slant and skew of the image of a line, found and undone.

Both are shears, so a column stays a column: skew moves columns up or down, slant moves rows sideways.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.features.image.ink import Grey

INK = 0.5
"""What is ink when shapes are measured."""
STEEPEST_SKEW = math.tan(math.radians(15))
SHORTEST = 3
"""Widths in heights: of single words, the letters decide what seems level."""
STEEPEST_SLANT = 50
"""Degrees from upright, to both sides."""


def find_skew(ink: Grey) -> float:
    """By how many rows a line goes down in a column, found by the projection profile (Postl 1986).

    Of all shears, that one is taken whose sums over rows vary most: writing that is level fills the rows between
    baseline and top of the small letters. 0 of a blank image, and of one that is too short to tell.
    """
    height, width = ink.shape
    ys, xs = np.nonzero(ink > INK)
    if len(ys) == 0 or width < SHORTEST * height:
        return 0.0
    weights = ink[ys, xs]
    middle = (width - 1) / 2
    # In rows between the line's ends: what is steeper does not fit into the image.
    most = min(STEEPEST_SKEW * width, height)

    def sharpness(drift: float) -> float:
        moved = np.rint(ys - drift / width * (xs - middle)).astype(np.int64) + height
        profile = np.bincount(np.clip(moved, 0, 3 * height), weights=weights, minlength=3 * height)
        return float((profile**2).sum())

    coarse = max(np.arange(-(most // 4) * 4, most + 1, 4), key=lambda drift: (sharpness(drift), -abs(drift)))
    fine = max(np.arange(coarse - 4, coarse + 4.5, 0.5), key=lambda drift: (sharpness(drift), -abs(drift)))
    return float(fine) / width


def find_slant(ink: Grey, skew: float = 0.0) -> float:
    """By how many columns strokes lean to the right in a row, found by the projection profile (Pastor et al. 2004).

    Of all shears from -50 to 50 degrees, that one is taken whose sums over columns vary most: upright strokes fill
    columns, and leave those between them empty. 0 of a blank image.

    Args:
        ink: ``[H, W]``, 0 to 1.
        skew: to be undone first, as `find_skew` found it.
    """
    height, width = ink.shape
    ys, xs = np.nonzero(ink > INK)
    if len(ys) == 0:
        return 0.0
    rows = ys - skew * (xs - (width - 1) / 2) - (height - 1) / 2
    room = int(np.ceil(np.abs(rows).max() * math.tan(math.radians(STEEPEST_SLANT)))) + 1
    weights = ink[ys, xs]

    def sharpness(degrees: float) -> float:
        moved = xs + math.tan(math.radians(degrees)) * rows + room
        # Shared between the columns to both sides, and among neighbours: whole columns alone would prefer 0 and 45.
        left = moved.astype(np.int64)
        share = (moved - left) * weights
        size = width + 2 * room + 1
        profile = np.bincount(left, weights - share, size) + np.bincount(left + 1, share, size)
        return float((np.convolve(profile, (1, 2, 1)) ** 2).sum())

    def best(angles: Iterable[float]) -> float:
        return max(angles, key=lambda degrees: (sharpness(degrees), -abs(degrees)))

    coarse = best(range(-STEEPEST_SLANT + 2, STEEPEST_SLANT, 3))
    return math.tan(math.radians(best(coarse + step / 2 for step in range(-4, 5))))


def straightened(ink: Grey, *, slant: bool, skew: bool) -> Grey:
    """The image ``[H, W]`` with the writing upright, level or both, in its old height and width.

    What would leave the image is kept: the writing is moved, and where it has become longer or higher than the image,
    compressed.
    """
    down = find_skew(ink) if skew else 0.0
    right = find_slant(ink, down) if slant else 0.0
    if down == 0 and right == 0:
        return ink
    height, width = ink.shape
    ys, xs = np.nonzero(ink > INK)
    new_y = ys - down * (xs - (width - 1) / 2)
    new_x = xs + right * (new_y - (height - 1) / 2)
    scale_x, move_x = _fit(new_x, width)
    scale_y, move_y = _fit(new_y, height)
    return _sheared(ink, down, right, (scale_x, move_x), (scale_y, move_y))


def _fit(places: NDArray[Any], size: int) -> tuple[float, float]:
    """Scale, at most 1, and move that bring places into 0 to size - 1; 1 and 0 if they are there already."""
    low, high = float(places.min()), float(places.max())
    scale = min(1.0, (size - 1) / max(high - low, 1e-6))
    low, high = low * scale, high * scale
    return scale, -low if low < 0 else min(0.0, size - 1 - high)


def _sheared(ink: Grey, down: float, right: float, fit_x: tuple[float, float], fit_y: tuple[float, float]) -> Grey:
    """Each pixel from the place that `straightened` moves to it."""
    from PIL import Image

    height, width = ink.shape
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    # There: y1 = y - down (x - mx), x1 = x + right (y1 - my), and u = sx x1 + tx, v = sy y1 + ty. Back again:
    # y1 = (v - ty) / sy, x = (u - tx) / sx - right (y1 - my), y = y1 + down (x - mx).
    (sx, tx), (sy, ty) = fit_x, fit_y
    x_u, x_v = 1 / sx, -right / sy
    x_0 = -tx / sx + right * (ty / sy + middle_y)
    y_u, y_v = down * x_u, 1 / sy + down * x_v
    y_0 = -ty / sy + down * (x_0 - middle_x)
    # Pillow counts from a pixel's corner: its centre is at a half.
    x_0 += 0.5 - 0.5 * (x_u + x_v)
    y_0 += 0.5 - 0.5 * (y_u + y_v)
    image = Image.fromarray(ink).transform(
        (width, height), Image.Transform.AFFINE, (x_u, x_v, x_0, y_u, y_v, y_0), Image.Resampling.BICUBIC, fillcolor=0
    )
    return np.clip(np.asarray(image), 0, 1)
