import math
from typing import Any

import numpy as np
import pytest

from seqpipe.data.ink.strokes import FARTHEST, parse_strokes
from seqpipe.errors import InputError

STROKES = [np.array([[0.0, 1.0], [2.0, 5.0], [-3.0, 5.5]]), np.array([[7.0, 1.0]]), np.array([[8.0, 0.0], [9.0, 4.0]])]


def columns(stroke: np.ndarray) -> dict[str, Any]:
    return {"x": stroke[:, 0].tolist(), "y": stroke[:, 1].tolist(), "t": [None] * len(stroke), "p": [7.0] * len(stroke)}


SHAPES = {
    "flat": [stroke.ravel().tolist() for stroke in STROKES],
    "flat arrays": [stroke.ravel() for stroke in STROKES],
    "pairs": [stroke.tolist() for stroke in STROKES],
    "tuples": tuple(tuple(map(tuple, stroke.tolist())) for stroke in STROKES),
    "with time and pressure": [[[x, y, 10 * k, 1.5] for k, (x, y) in enumerate(stroke.tolist())] for stroke in STROKES],
    "now and then with time": [
        [[x, y, k][: 2 + k % 2] for k, (x, y) in enumerate(stroke.tolist())] for stroke in STROKES
    ],
    "points by name": [[{"x": x, "y": y, "force": "?"} for x, y in stroke.tolist()] for stroke in STROKES],
    "columns": [columns(stroke) for stroke in STROKES],
    "arrays": STROKES,
    "arrays with time": [np.hstack([stroke, np.full((len(stroke), 2), math.nan)]) for stroke in STROKES],
    "a mapping": {"strokes": [stroke.tolist() for stroke in STROKES], "writer": 3},
    "empty strokes between": [[], STROKES[0].tolist(), {"x": [], "y": []}, *[s.tolist() for s in STROKES[1:]], []],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_all_shapes_say_the_same(shape: str) -> None:
    ink = parse_strokes(SHAPES[shape], "ink")
    assert ink.starts.tolist() == [0, 3, 4]
    assert len(ink.strokes()) == 3
    for stroke, given in zip(ink.strokes(), STROKES, strict=True):
        np.testing.assert_array_equal(stroke, given)
    downward = parse_strokes(SHAPES[shape], "ink", downward=True)
    np.testing.assert_array_equal(downward.points, ink.points * [1, -1])


def test_differences_add_up_stroke_by_stroke() -> None:
    flat = [np.diff(stroke, axis=0, prepend=0.0).ravel() for stroke in STROKES]
    for shape in ([stroke.tolist() for stroke in flat], [list(stroke) for stroke in flat], flat):
        points = parse_strokes(shape, "ink", encoding="differences").points
        np.testing.assert_array_equal(points, np.concatenate(STROKES))


@pytest.mark.parametrize("shape", [name for name in SHAPES if "flat" not in name])
def test_what_says_that_it_holds_points_is_never_read_as_differences(shape: str) -> None:
    points = parse_strokes(SHAPES[shape], "ink", encoding="differences").points
    np.testing.assert_array_equal(points, np.concatenate(STROKES))


@pytest.mark.parametrize(
    ("raw", "kind", "message"),
    [
        (None, "bad value", "a list of strokes, or a mapping with strokes; received None"),
        (7, "bad value", r"received 7 \(int\)"),
        (np.array(3.0), "bad value", r"received array\(3\.\) \(ndarray\)"),
        ([np.array(3.0)], "bad value", "stroke 0 should be a list of points"),
        ([[[1, 2], np.array(3.0)]], "bad value", r"stroke 0, point 1 should be \[x, y\]"),
        ({"ink": []}, "bad value", "a mapping with strokes"),
        ([], "empty", "has no strokes"),
        ({"strokes": []}, "empty", "has no strokes"),
        ([[], []], "empty", "its strokes are empty"),
        ([1, 2, 3, 4], "bad value", "stroke 0 should be a list of points.*received 1"),
        ([[1, 2], None], "bad value", "stroke 1 should be a list of points"),
        ([[1, 2], "3 4"], "bad value", "stroke 1 should be a list of points.*'3 4'"),
        ([[1, 2, 3]], "bad value", "stroke 0 should be x0, y0, .*; it has 3 values, an odd number"),
        ([[1, "2"]], "bad value", "stroke 0 should hold numbers; received '2'"),
        ([[1, None]], "bad value", "stroke 0 should hold numbers; received None"),
        ([[1, True]], "bad value", r"stroke 0 should hold numbers; received True \(bool\)"),
        ([np.array([[True, False]])], "bad value", "should hold numbers; received True"),
        ([np.array([["a", "b"]])], "bad value", "should hold numbers; received 'a'"),
        ([[[1, 2], [3]]], "bad value", r"stroke 0, point 1 should be \[x, y\]"),
        ([[[1, 2], 3]], "bad value", "stroke 0, point 1 should be"),
        ([[[1, 2], [3, "4"]]], "bad value", "stroke 0, point 1 should hold numbers; received '4'"),
        ([[{"x": 1}]], "bad value", "stroke 0, point 0 should be"),
        ([{"x": [1]}], "bad value", "stroke 0 should have x and y"),
        ([{"x": 1, "y": 2}], "bad value", "stroke 0, x should be a list of numbers; received 1"),
        ([{"x": [1, 2], "y": [3]}], "bad value", "stroke 0 has 2 values of x and 1 of y"),
        ([[0, 0], [1, 2, math.nan, 3]], "non-finite", r"stroke 1, point 1 is \(nan, [35]\)"),
        ([[[0, 0], [math.inf, 3]]], "non-finite", r"stroke 0, point 1 is \(inf, 3\)"),
        ([[], [1, -2 * FARTHEST]], "bad value", r"stroke 1, point 0 is \(1, -2e\+12\), farther out"),
        ([[1, 10**400]], "bad value", "stroke 0 holds a number beyond"),
        ([[[1, 10**400]]], "bad value", "stroke 0, point 0 holds a number beyond"),
    ],
    ids=str,
)
def test_what_is_no_stroke_is_named(raw: Any, kind: str, message: str) -> None:
    for encoding in ("points", "differences"):
        with pytest.raises(InputError, match=f"row 7: .*{message}") as caught:
            parse_strokes(raw, "row 7", encoding=encoding)  # type: ignore[arg-type]
        assert caught.value.kind == kind


def test_differences_that_grow_beyond_all_bounds_are_an_input_error() -> None:
    with pytest.raises(InputError, match="stroke 0, point 1 is"):
        parse_strokes([[1.0, 1.0, 1e308, 1.0, 1e308, 1.0]], "ink", encoding="differences")
