"""Where a line is, made whole: a baseline for lines that have a polygon alone, and a polygon for the others."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.pages.document import Line, corners
from seqpipe.data.pages.line import Points

ABOVE, BELOW = 0.75, 0.35
"""How far a line without polygon reaches over and under its baseline, in distances between lines."""
DESCENT = 0.25
"""Where a line without baseline has it: this share of its height above its lower edge."""
CHARACTERS = 20
"""A line that stands alone, with a baseline only, is taken for this many times as long as lines would be apart."""
COLUMNS = 33
"""Places at which a polygon's edges are looked at."""

Array = NDArray[np.float64]


def complete(lines: Sequence[Line]) -> list[tuple[Points, Points] | str]:
    """Baseline and polygon of each line, or what is wrong with it.

    What the document says is kept. A polygon is at least three different points; where there are fewer the line's box
    stands for it, and without a box a band along the baseline, as high as the distance to the next lines lets expect. A
    missing baseline is the straight line that fits best a quarter of the height above the polygon's lower edge.

    Args:
        lines: of one page.
    """
    spacing: float | None = None
    found: list[tuple[Points, Points] | str] = []
    for line in lines:
        polygon = line.polygon if len(set(line.polygon)) > 2 else corners(line.box) if line.box else ()
        if line.problem:
            found.append(line.problem)
        elif polygon:
            found.append((line.baseline or _lower_line(polygon), polygon))
        elif len(set(line.baseline)) > 1:
            spacing = spacing or _spacing([other.baseline for other in lines if len(set(other.baseline)) > 1])
            found.append((line.baseline, _band(line.baseline, spacing)))
        else:
            found.append("has neither a polygon, nor a box, nor a baseline of two points: nothing says where it is")
    return found


def _band(baseline: Points, spacing: float) -> Points:
    above = [(x, y - ABOVE * spacing) for x, y in baseline]
    below = [(x, y + BELOW * spacing) for x, y in reversed(baseline)]
    return (*above, *below)


def _spacing(baselines: Sequence[Points]) -> float:
    """The distance between lines: the median of the distances from each to the next one below it."""
    arrays = [np.asarray(one, dtype=np.float64) for one in baselines]
    gaps = [gap for one in arrays if (gap := _next_below(one, arrays)) is not None]
    if gaps:
        return statistics.median(gaps)
    return float(np.hypot(*np.diff(arrays[0], axis=0).T).sum()) / CHARACTERS


def _next_below(line: Array, lines: Sequence[Array]) -> float | None:
    """From the middle of a line down to the nearest that has something under it; None if there is none."""
    x, y = line.mean(axis=0)
    gaps = [
        float(np.interp(x, other[order, 0], other[order, 1]) - y)
        for other in lines
        if other is not line and other[:, 0].min() <= x <= other[:, 0].max()
        for order in [np.argsort(other[:, 0])]
    ]
    return min((gap for gap in gaps if gap >= 1), default=None)


def _lower_line(polygon: Points) -> Points:
    """The straight line nearest to what lies a quarter of the height above the polygon's lower edge."""
    outline = np.asarray(polygon, dtype=np.float64)
    left, right = outline[:, 0].min(), outline[:, 0].max()
    if right - left < 1:
        return ((left, float(outline[:, 1].max())),)
    margin = (right - left) / (2 * COLUMNS)
    columns = np.linspace(left + margin, right - margin, COLUMNS)
    start, end = outline, np.roll(outline, -1, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (columns[:, None] - start[:, 0]) / (end[:, 0] - start[:, 0])  # [COLUMNS, edges]
        heights = start[:, 1] + share * (end[:, 1] - start[:, 1])
    crossed = (share >= 0) & (share <= 1) & np.isfinite(heights)
    some = crossed.any(axis=1)
    lower = np.where(crossed, heights, -np.inf).max(axis=1)[some]
    upper = np.where(crossed, heights, np.inf).min(axis=1)[some]
    slope, offset = np.polyfit(columns[some] - left, lower - DESCENT * (lower - upper), 1)
    return (float(left), float(offset)), (float(right), float(offset + slope * (right - left)))
