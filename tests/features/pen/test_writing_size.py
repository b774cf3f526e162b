"""Estimates of how large, how steep and how slanted writing is."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.data.ink.strokes import Ink, ink_of
from seqpipe.features.pen.writing_size import core_band, frame_of, slant, slope, vertical_ways


def ink(*strokes: list[tuple[float, float]]) -> Ink:
    return ink_of([np.array(stroke, dtype=float) for stroke in strokes], "ink")


def letters(count: int = 12) -> Ink:
    """Arches of height 100 with a wide top, every fourth with an ascender of 250, every sixth with a descender."""
    points = []
    for number in range(count):
        left, top = 100.0 * number, 250.0 if number % 4 == 1 else 100.0
        points += [(left, -120.0 if number % 6 == 3 else 0.0), (left + 20, top), (left + 70, 0.0), (left + 80, 100.0)]
    return ink(points)


def test_ways_lie_between_turns_that_count() -> None:
    up_and_down = ink([(0, 0), (1, 10), (2, 9), (3, 30), (4, 5), (5, 6), (6, 5), (7, 20)])
    assert vertical_ways(up_and_down, 3) == [(0, 3), (4, 3), (4, 7)]
    assert vertical_ways(up_and_down, 0.5) == [(0, 1), (2, 1), (2, 3), (4, 3), (4, 5), (6, 5), (6, 7)]
    assert vertical_ways(up_and_down, 100) == []
    assert vertical_ways(ink([(0, 0), (0, 9)], [(5, 7), (5, 2)], [(9, 9)]), 1) == [(0, 1), (3, 2)]


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=40), st.integers(1, 15))
def test_ways_go_on_where_the_last_one_ended_and_are_long_enough(ys: list[int], least: int) -> None:
    ways = vertical_ways(ink([(float(x), float(y)) for x, y in enumerate(ys)]), least)
    for lower, upper in ways:
        assert ys[upper] - ys[lower] > least
        between = ys[min(lower, upper) : max(lower, upper) + 1]
        # Until it has gone farther than that, the pen's start is not known from a turn.
        slack = least if 0 in (lower, upper) else 0
        assert ys[lower] <= min(between) + slack
        assert ys[upper] >= max(between) - slack
    assert all(max(before) == min(behind) for before, behind in itertools.pairwise(ways))


def test_the_core_is_the_band_of_small_letters() -> None:
    written = letters()
    bottom, top, height = core_band(written, -120, 250)
    assert (bottom, top) == (0, 100)
    assert 90 < height < 140
    assert frame_of(written, "core").y == 50
    assert frame_of(written, "full") == (0, 65, 370)
    x, y, unit = frame_of(written, "box")
    assert (x, y, unit) == (590, 65, 1180)


@pytest.mark.parametrize("kind", ["core", "full", "box"])
def test_frames_go_with_the_writing(kind: str) -> None:
    plain = frame_of(letters(), kind)  # type: ignore[arg-type]
    moved = frame_of(Ink(letters().points * 3 + [40, -7], letters().starts), kind)  # type: ignore[arg-type]
    assert moved == pytest.approx((3 * plain.x + 40, 3 * plain.y - 7, 3 * plain.unit))


@pytest.mark.parametrize("kind", ["core", "full", "box"])
def test_lines_and_dots_have_a_size(kind: str) -> None:
    for strokes in (
        *([(3.0, 4.0)], [(0.0, 0.0), (5e-324, 0.0)], [(0.0, 5e-324), (0.0, 0.0)]),
        *([(0.0, 0.0), (500.0, 0.0)], [(0.0, 0.0), (0.0, 500.0)], [(0.0, 0.0), (500.0, 1.0)]),
    ):
        frame = frame_of(ink(strokes), kind)  # type: ignore[arg-type]
        assert all(map(math.isfinite, frame))
        assert frame.unit > 0


@pytest.mark.parametrize("degrees", [-25, -5, 0, 12, 25])
def test_the_slope_is_that_of_the_line(degrees: float) -> None:
    written, rise = letters(), math.tan(math.radians(degrees))
    raised = Ink(written.points + written.points[:, :1] * [0, rise], written.starts)
    assert slope(raised) == pytest.approx(rise, abs=0.02)


def test_there_is_no_slope_of_few_letters_or_dots() -> None:
    assert slope(ink([(0, 0), (5, 9), (9, 4)])) == 0
    assert slope(ink([(3, 3)])) == 0
    assert slope(ink([(0, 0), (9, 0)])) == 0


@pytest.mark.parametrize("lean", [-0.6, 0.0, 0.3, 0.8])
def test_slant_is_how_far_downstrokes_lean(lean: float) -> None:
    upright = [(20.0 * number + (10 if number % 2 else 0), 100.0 * (number % 2)) for number in range(30)]
    points = [[(x, y), (x + 10, y + 100), (x + 10, y)] for x, y in upright]  # up leaning, down upright
    written = ink(*points)
    leaning = Ink(written.points + written.points[:, 1:] * [lean, 0], written.starts)
    assert slant(leaning) == pytest.approx(lean, abs=1e-6)
    assert slant(ink([(0, 0), (9, 0)])) == 0
    assert slant(ink([(0, 0)])) == 0
