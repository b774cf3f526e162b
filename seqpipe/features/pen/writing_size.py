"""How large, how slanted and how steep a piece of writing is: robust estimates from its strokes."""

from __future__ import annotations

import math
from statistics import median
from typing import Literal, NamedTuple

import numpy as np

from seqpipe.data.ink.strokes import Ink

HeightKind = Literal["core", "full", "box"]
TURN = 0.12
"""Of the whole height: a pen that goes back by less hasn't turned."""
LEAST_CORE, LEAST_OF_WIDTH = 0.12, 0.005
"""Of the whole height and of the width: the least that the core of a writing may be."""
_MAX_TURNS = 500
"""That a slope is fitted to: pairs are a square of them."""
LEAST_FULL = 0.05
"""Of the width: the least height, for writing that is nearly a line."""


LEAST_EXTENT = 1e-300
"""In units of the ink: writing that is smaller is a dot. Shares of it would leave the range of numbers, and be 0."""


class Frame(NamedTuple):
    """Where writing stands and how large it is: a point p goes to (p - (x, y)) / unit.

    Attributes:
        x, y: what becomes (0, 0).
        unit: what becomes 1.
    """

    x: float
    y: float
    unit: float


def frame_of(ink: Ink, kind: HeightKind) -> Frame:
    """The frame of writing.

    Args:
        ink: what was written.
        kind: ``core``: the height of small letters, without ascenders and descenders (see `core_band`), with the middle
            of their band at 0; ``full``: from the lowest to the highest point, with the middle at 0; both with the
            leftmost point at 0; ``box``: the larger of height and width, with the middle of the box at (0, 0).
    """
    (left, low), (right, high) = ink.points.min(axis=0).tolist(), ink.points.max(axis=0).tolist()
    width, height = right - left, high - low
    if max(width, height) < LEAST_EXTENT:  # a dot has no size
        return Frame(left, low, 1.0)
    if kind == "box":
        return Frame((left + right) / 2, (low + high) / 2, max(width, height))
    if kind == "full":
        return Frame(left, (low + high) / 2, max(height, LEAST_FULL * width))
    bottom, top, core = core_band(ink, low, high)
    return Frame(left, (bottom + top) / 2, max(core, LEAST_CORE * height, LEAST_OF_WIDTH * width))


def core_band(ink: Ink, low: float, high: float) -> tuple[float, float, float]:
    """The band of the small letters: its lower and upper edge, and its height.

    The pen goes up and down. Each way from one turn to the next has a lower and an upper end; the medians of these are
    the edges. The height is the geometric mean of the band's and of the (geometric) mean way: within writers it varies
    less than either (over the words of UNIPEN's training writers, compared by the spread of its logarithm).

    Args:
        ink: what was written.
        low, high: its lowest and highest y.
    """
    ways = vertical_ways(ink, TURN * (high - low))
    if not ways:
        return low, high, high - low
    # In Python: a word has a dozen of them, and numpy's median alone would take longer than all the rest.
    ys = ink.points[:, 1].tolist()
    bottoms, tops = [ys[lower] for lower, _ in ways], [ys[upper] for _, upper in ways]
    bottom, top = median(bottoms), median(tops)
    mean = math.exp(sum(math.log(end - start) for start, end in zip(bottoms, tops, strict=True)) / len(ways))
    return bottom, top, math.sqrt(mean * max(top - bottom, 0.1 * (high - low)))


def vertical_ways(ink: Ink, least: float) -> list[tuple[int, int]]:
    """The ways up and down between turns of the pen, in the order of writing: numbers of lower and upper end of each.

    Args:
        ink: what was written.
        least: what the pen must have gone back for a turn (and on from its start), in units of the ink; above 0.
    """
    ways: list[tuple[int, int]] = []
    ys = ink.points[:, 1].tolist()
    starts = ink.starts.tolist()
    for start, stop in zip(starts, [*starts[1:], len(ys)], strict=True):
        turned = farthest = start
        extreme = ys[start]
        direction = 0
        for number in range(start + 1, stop):
            beyond = (ys[number] - extreme) * (direction or 1)
            if direction == 0:
                if abs(beyond) > least:
                    direction = 1 if beyond > 0 else -1
                    farthest, extreme = number, ys[number]
            elif beyond > 0:
                farthest, extreme = number, ys[number]
            elif -beyond > least:
                ways.append((turned, farthest) if direction > 0 else (farthest, turned))
                turned, farthest, extreme, direction = farthest, number, ys[number], -direction
        if direction:
            ways.append((turned, farthest) if direction > 0 else (farthest, turned))
    return ways


def slope(ink: Ink) -> float:
    """How the line rises that the writing stands on: the median slope between lower ends of its ways (Theil-Sen).

    Descenders are fewer than letters, so that the median doesn't see them; of neighbours, whose slopes are mostly
    chance, it takes none. For lines that rise by up to 30 degrees: in steeper ones turns can't be told. 0 where there
    are fewer than three.

    Args:
        ink: what was written.
    """
    low, high = float(ink.points[:, 1].min()), float(ink.points[:, 1].max())
    lower = np.array(sorted({lower for lower, _ in vertical_ways(ink, TURN * (high - low))} if high > low else ()), int)
    x, y = ink.points[lower[:_MAX_TURNS]].reshape(-1, 2).T
    right, rise = x[None] - x[:, None], y[None] - y[:, None]
    far = right > (high - low)
    if len(lower) < 3 or not far.any():
        return 0.0
    found = float(np.median(rise[far] / right[far]))
    return found if abs(found) <= 1 else 0.0  # 45 degrees: no line of writing


def slant(ink: Ink) -> float:
    """How far downstrokes lean to the right, as the tangent of their angle from the vertical.

    The median over downward segments within 60 degrees of the vertical, weighted by their heights: the pen's main
    strokes, as near-vertical ones are in Bozinovic & Srihari 1989 ("Off-line cursive script word recognition").

    Args:
        ink: what was written.
    """
    difference = np.diff(ink.points, axis=0)
    difference[ink.starts[1:] - 1] = 0.0
    across, rise = difference[:, 0], difference[:, 1]
    found = 0.0
    for _ in range(2):  # the second time around the first estimate: of what leans much, half was beyond the bound
        upright = across - found * rise
        steep = (rise < 0) & (np.abs(upright) < math.sqrt(3) * -rise)
        if not steep.any():
            break
        lean, weight = upright[steep] / rise[steep], -rise[steep]
        order = np.argsort(lean)
        weights = np.cumsum(weight[order])
        found += float(lean[order][np.searchsorted(weights, weights[-1] / 2)])
    return found
