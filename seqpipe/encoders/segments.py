"""Where in time a padded batch can drop the rows that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Segment(NamedTuple):
    """Steps ``start`` to ``stop`` of the first ``rows`` rows of a batch sorted by falling length."""

    start: int
    stop: int
    rows: int


# What a step of oneDNN's LSTM costs beyond its rows, in rows: 256 units, 8 to 96 rows, a core for each direction.
STEP_OVERHEAD_ROWS = 2
# What starting another call costs (its own primitive, padding and joining its output), in row-steps.
SEGMENT_OVERHEAD = 250
# The same of minGRU and minLSTM, whose row-steps cost less: 32 rows of 100 to 200 steps and 128 units took 10 % longer
# cut as an LSTM's than whole, ragged ones a quarter less.
MINIMAL_SEGMENT_OVERHEAD = 800
# Segment borders and row counts are multiples of these, so that few shapes occur.
STEP_MULTIPLE, ROW_MULTIPLE = 16, 8


def plan_segments(lengths: Sequence[int], steps: int, overhead: int = SEGMENT_OVERHEAD) -> list[Segment]:
    """Cut a batch in time where leaving the ended rows out saves more than another call costs.

    Args:
        lengths: of the rows, falling.
        steps: T of the padded batch, at least the longest length.
        overhead: what another call costs, in row-steps.

    Returns:
        Segments that follow each other from 0 to ``steps``. Every real step of every row is in one of them. A batch of
        similar lengths gives one segment.
    """
    batch = len(lengths)
    borders = [*range(0, steps, STEP_MULTIPLE), steps]
    rows = []  # how many rows are still alive at each border
    for border in borders[:-1]:
        alive = sum(length > border for length in lengths)
        rows.append(min(batch, -(-max(alive, 1) // ROW_MULTIPLE) * ROW_MULTIPLE))
    # Shortest path over the borders: best[i] is the least cost of the steps from border i on.
    count = len(borders)
    best = [0.0] * count
    following = [0] * count
    for start in range(count - 2, -1, -1):
        step = rows[start] + STEP_OVERHEAD_ROWS
        best[start], following[start] = min(
            ((borders[stop] - borders[start]) * step + overhead + best[stop], stop) for stop in range(start + 1, count)
        )
    segments = []
    at = 0
    while at < count - 1:
        segments.append(Segment(borders[at], borders[following[at]], rows[at]))
        at = following[at]
    return segments
