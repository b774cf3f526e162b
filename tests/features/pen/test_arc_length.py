import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.data.ink.strokes import Ink, ink_of
from seqpipe.features.pen.arc_length import resample_ink, spacing

POINT = st.tuples(st.integers(-30, 30), st.integers(-30, 30))
STROKES = st.lists(st.lists(POINT, min_size=1, max_size=8), min_size=1, max_size=5)


def ink(strokes: list[list[tuple[int, int]]]) -> Ink:
    return ink_of([np.array(stroke, dtype=float) for stroke in strokes], "ink")


@given(STROKES, st.sampled_from([0.5, 3.0, 17.0]))
def test_against_one_stroke_at_a_time(strokes: list[list[tuple[int, int]]], step: float) -> None:
    """The same by numpy's interpolation, stroke by stroke."""
    written = ink(strokes)
    spaced = spacing(written, step)
    places, points, starts = resample_ink(written, spaced)
    assert len(points) == spaced.count
    for number, (stroke, start) in enumerate(zip(written.strokes(), starts, strict=True)):
        way = np.append(0, np.hypot(*np.diff(stroke, axis=0).T).cumsum())
        intervals = int(way[-1] / step + 0.5 - 1e-6)
        at = np.linspace(0, way[-1], intervals + 1) if intervals else [way[-1] / 2]
        expected = np.stack([np.interp(at, way, column) for column in stroke.T], axis=1)
        mine = slice(start, start + intervals + 1)
        np.testing.assert_allclose(points[mine], expected, atol=1e-9)
        inside = places[mine] - written.starts[number]
        assert (inside >= 0).all()
        assert (inside <= len(stroke) - 1).all()
        # A place, looked up in the original points, is the point.
        back = np.stack([np.interp(inside, np.arange(len(stroke)), column) for column in stroke.T], axis=1)
        np.testing.assert_allclose(back, expected, atol=1e-9)


@pytest.mark.parametrize(("length", "count"), [(0, 1), (0.49, 1), (0.5, 1), (0.51, 2), (1.4, 2), (1.6, 3), (10, 11)])
def test_intervals_are_as_near_to_a_step_as_can_be(length: float, count: int) -> None:
    assert spacing(ink_of([np.array([[0.0, 0.0], [0.0, length]])], "ink"), 1.0).count == count


def test_what_would_come_to_more_points_than_there_is_memory_for_is_only_counted() -> None:
    assert spacing(ink_of([np.array([[0.0, 0.0], [1e12, 0.0]])], "ink"), 1e-9).count > 10**12
