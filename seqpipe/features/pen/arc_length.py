"""Points of strokes, evenly spaced along the way of the pen, whatever the tablet's sampling rate was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.data.ink.strokes import Ink

_SLACK = 1e-6
"""Of a step: strokes whose length is a multiple of half a step get the same number of points whatever is rounded."""


@dataclass(frozen=True, slots=True)
class Spacing:
    """How many points the strokes of an ink get, and where.

    Attributes:
        way: arc length up to each point of the ink, ``[M]``, over all strokes; lifting the pen adds nothing.
        begin, length: arc length up to each stroke's first point, and of the stroke, ``[S]``.
        intervals: between the points that a stroke gets, ``[S]``; 0 for one point in its middle.
    """

    way: NDArray[np.float64]
    begin: NDArray[np.float64]
    length: NDArray[np.float64]
    intervals: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Points of all strokes."""
        return int(self.intervals.sum()) + len(self.intervals)


def spacing(ink: Ink, step: float) -> Spacing:
    """How strokes are divided: evenly, as near to ``step`` as keeps both ends; half a step or less is one point.

    Args:
        ink: the strokes.
        step: arc length from point to point, in units of the ink, above 0.
    """
    difference = np.diff(ink.points, axis=0)
    distance = np.hypot(difference[:, 0], difference[:, 1])
    distance[ink.starts[1:] - 1] = 0.0
    way = np.zeros(len(ink.points))
    np.cumsum(distance, out=way[1:])
    begin = way[ink.starts]
    length = np.append(begin[1:], way[-1]) - begin
    # In float still: of a length that is beyond all bounds, the number is, too.
    intervals = np.minimum(np.floor(length / step + 0.5 - _SLACK), 2.0**40).astype(np.int64)
    return Spacing(way, begin, length, intervals)


def resample_ink(ink: Ink, spacing: Spacing) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The points that a `Spacing` says.

    Returns:
        places ``[N]``: numbers of the original points, counted through all strokes, with fractions between two;
        points ``[N, 2]``, on the straight lines between the original ones; starts ``[S]``, as in `Ink`.
    """
    way, begin, length, intervals = spacing.way, spacing.begin, spacing.length, spacing.intervals
    counts = intervals + 1
    starts = np.zeros(len(counts), dtype=np.int64)
    np.cumsum(counts[:-1], out=starts[1:])
    within = np.arange(int(starts[-1] + counts[-1])) - np.repeat(starts, counts)
    # Of one point: the middle.
    each = np.where(intervals > 0, length / np.maximum(intervals, 1), 0.0)
    first = np.where(intervals > 0, begin, begin + length / 2)
    at = np.repeat(first, counts) + within * np.repeat(each, counts)
    # The segment that begins at or before it; where points fall together, the last of them. The end of a stroke
    # belongs to its last segment. A stroke of one point has none.
    last = np.append(ink.starts[1:], len(way)) - 2
    segment = np.searchsorted(way, at, side="right") - 1
    segment = np.clip(segment, np.repeat(ink.starts, counts), np.repeat(np.maximum(last, ink.starts), counts))
    behind = np.minimum(segment + 1, len(way) - 1)
    span = way[behind] - way[segment]
    share = np.clip(np.divide(at - way[segment], span, out=np.zeros_like(at), where=span > 0), 0.0, 1.0)
    points = ink.points[segment] + share[:, None] * (ink.points[behind] - ink.points[segment])
    return segment + share, points, starts
