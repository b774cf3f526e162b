"""Writing with a pen, as points: strokes in the shapes in which people keep them."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import InputError

Encoding = Literal["points", "differences"]
FARTHEST = 1e12
"""Of a coordinate, in whatever unit. Beyond it, neighbouring points of any tablet fall together in single precision
and, squared, near the end of double precision: the number is a mistake."""
_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True)
class Ink:
    """The strokes of an input.

    Attributes:
        points: of all strokes in their order, ``[M, 2]``: x to the right, y up, in any unit that is the same for both.
        starts: number of each stroke's first point, ``[S]``, rising from 0. No stroke is empty.
    """

    points: NDArray[np.float64]
    starts: NDArray[np.int64]

    def strokes(self) -> list[NDArray[np.float64]]:
        """The points of each stroke, ``[n, 2]``."""
        return np.split(self.points, self.starts[1:])


def ink_of(strokes: Sequence[NDArray[np.float64]], name: str, *, downward: bool = False) -> Ink:
    """Strokes ``[n, 2]`` as one `Ink`; those without points are left out (a pen that was noticed but not yet down).

    Args:
        strokes: x and y of each point.
        name: for messages.
        downward: y grows downward in them, as on screens.

    Raises:
        InputError: no stroke has a point (``empty``); a coordinate is not finite (``non-finite``) or beyond `FARTHEST`.
    """
    counts = [len(stroke) for stroke in strokes if len(stroke)]
    if not counts:
        raise InputError("empty", f"{name}: has no strokes" if len(strokes) == 0 else f"{name}: its strokes are empty")
    points = np.concatenate([stroke for stroke in strokes if len(stroke)])
    if not np.abs(points).max() <= FARTHEST:  # not: > is never true of NaN
        stroke, point = _first_bad(strokes)
        value = strokes[stroke][point]
        where = f"{name}: stroke {stroke}, point {point} is ({value[0]:g}, {value[1]:g})"
        if not np.isfinite(value).all():
            raise InputError("non-finite", f"{where}; coordinates are finite numbers")
        raise InputError("bad value", f"{where}, farther out than {FARTHEST:g}; is it a mistake?")
    if downward:
        points = points * (1.0, -1.0)
    starts = np.zeros(len(counts), dtype=np.int64)
    np.cumsum(counts[:-1], out=starts[1:])
    return Ink(points, starts)


def parse_strokes(raw: Any, name: str, *, encoding: Encoding = "points", downward: bool = False) -> Ink:
    """Strokes as plain data (of a row of JSON, say), in the order in which they were written.

    A stroke is a flat list ``[x0, y0, x1, y1, ...]``, a list of points ``[x, y, ...]`` or ``{"x": .., "y": .., ...}``,
    or a mapping with the lists ``x`` and ``y``; an array ``[n, 2 or more]`` does as well. What stands beside x and y
    (time, pressure, tilt) isn't looked at: the shape of the writing is what is read. One point is a stroke: a dot.

    Args:
        raw: a list of strokes, or a mapping with ``strokes``.
        name: for messages.
        encoding: ``points``, or ``differences``: all but the first point of a flat list (or a flat array) are relative
            to the point before. The other shapes say of themselves that they hold points, and are read as such.
        downward: y grows downward in it.

    Raises:
        InputError: it isn't that (``bad value``; the stroke is named, counted from 0), or as `ink_of` does.
    """
    if isinstance(raw, Mapping) and "strokes" in raw:
        raw = raw["strokes"]
    if not _is_list(raw):
        raise InputError(
            "bad value",
            f"{name}: pen strokes are a list of strokes, or a mapping with strokes; "
            f"received {reprlib.repr(raw)} ({type(raw).__name__})",
        )
    strokes = []
    for number, stroke in enumerate(raw):
        points = _flat(stroke)
        if points is None:
            points = _points(stroke, f"{name}: stroke {number}")
        # Differences of numbers that are too large may overflow, which `ink_of` will say of the coordinate.
        with np.errstate(over="ignore", invalid="ignore"):
            strokes.append(points.cumsum(axis=0) if encoding == "differences" and _is_flat(stroke) else points)
    return ink_of(strokes, name, downward=downward)


def _flat(stroke: Any) -> NDArray[np.float64] | None:
    """A flat list of plain numbers, as most strokes are, in a hurry; None for anything else."""
    if isinstance(stroke, (list, tuple)) and set(map(type, stroke)) <= _NUMBERS and len(stroke) % 2 == 0:
        try:
            return np.array(stroke, dtype=np.float64).reshape(-1, 2)
        except OverflowError:  # an integer of hundreds of digits
            return None
    return None


def _is_flat(stroke: Any) -> bool:
    """Whether a stroke is a list of plain values, not of points."""
    if isinstance(stroke, Mapping):
        return False
    if isinstance(stroke, np.ndarray):
        stroke = stroke[:1].tolist()
    return not (len(stroke) and isinstance(stroke[0], (list, tuple, Mapping, np.ndarray)))


def _points(stroke: Any, where: str) -> NDArray[np.float64]:
    """A stroke of any other shape ``[n, 2]``; raises `InputError` if it is none."""
    if isinstance(stroke, np.ndarray):
        if stroke.ndim == 2 and stroke.shape[1] >= 2 and stroke.dtype.kind in "iuf":
            return stroke[:, :2].astype(np.float64)
        stroke = stroke.tolist()
    if isinstance(stroke, Mapping):
        if not ("x" in stroke and "y" in stroke):
            raise _bad(f"{where} should have x and y", stroke)
        x, y = _column(stroke["x"], f"{where}, x"), _column(stroke["y"], f"{where}, y")
        if len(x) != len(y):
            raise InputError("bad value", f"{where} has {len(x)} values of x and {len(y)} of y")
        return np.stack([x, y], axis=1)
    if not isinstance(stroke, (list, tuple)):
        raise _bad(f"{where} should be a list of points, or a mapping with x and y", stroke)
    if stroke and _is_flat(stroke):
        flat = _column(stroke, where)
        if len(flat) % 2:
            raise InputError(
                "bad value", f"{where} should be x0, y0, x1, y1, ...; it has {len(flat)} values, an odd number"
            )
        return flat.reshape(-1, 2)
    pairs = [_pair(point, f"{where}, point {number}") for number, point in enumerate(stroke)]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def _pair(point: Any, where: str) -> NDArray[np.float64]:
    """x and y of a point."""
    if isinstance(point, Mapping) and "x" in point and "y" in point:
        return _column([point["x"], point["y"]], where)
    if _is_list(point) and len(point) >= 2:
        return _column(point[:2], where)
    raise _bad(f"{where} should be [x, y] or a mapping with x and y", point)


def _is_list(value: Any) -> bool:
    """Whether something is a list, a tuple, or an array of at least one dimension."""
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _column(values: Any, where: str) -> NDArray[np.float64]:
    """Numbers ``[n]``; truth values are none."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        raise _bad(f"{where} should be a list of numbers", values)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise _bad(f"{where} should hold numbers", value)
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise InputError("bad value", f"{where} holds a number beyond {FARTHEST:g}; is it a mistake?") from None


def _bad(what: str, received: Any) -> InputError:
    return InputError("bad value", f"{what}; received {reprlib.repr(received)} ({type(received).__name__})")


def _first_bad(strokes: Sequence[NDArray[np.float64]]) -> tuple[int, int]:
    """The first stroke and point that isn't within `FARTHEST`."""
    for number, stroke in enumerate(strokes):
        bad = np.flatnonzero(~(np.abs(stroke) <= FARTHEST).all(axis=1))
        if len(bad):
            return number, int(bad[0])
    raise ValueError("all points are good")
