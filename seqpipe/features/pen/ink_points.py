"""Pen strokes as evenly spaced points, without torch: what `PenStrokes` prepares, and runtimes without it too."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import FileSpan, Segment
from seqpipe.core.measure import POINTS
from seqpipe.core.source import Source
from seqpipe.core.suffixes import INK_SUFFIXES
from seqpipe.data.ink.inkml import read_inkml
from seqpipe.data.ink.strokes import Encoding, Ink, parse_strokes
from seqpipe.errors import InputError
from seqpipe.features.pen.arc_length import Spacing, resample_ink, spacing
from seqpipe.features.pen.writing_size import Frame, HeightKind, frame_of, slant, slope

FEW_POINTS = 10
"""Of so few, one segment may well be longer than the others together."""
WIDE_GAP = 3.0
"""Of all lines that were drawn: the dot of an i may be as far from a short stem as that is long."""


class InkPoints:
    """Read pen strokes and space their points evenly; see `seqpipe.features.pen.pen_strokes.PenStrokes`.

    Args:
        height: what becomes 1.
        step: arc length from point to point, in units of the height.
        straighten, deslant: whether the writing is turned level and sheared upright.
        encoding: of flat lists.
        y: where y grows.
        max_length: points that an input may come to.
    """

    suffixes = INK_SUFFIXES
    measure = POINTS
    unbinds = False

    def __init__(
        self,
        *,
        height: HeightKind = "core",
        step: float = 0.2,
        straighten: bool = False,
        deslant: bool = False,
        encoding: Encoding = "points",
        y: Literal["up", "down"] = "up",
        max_length: int = 20_000,
    ) -> None:
        self.height: HeightKind = height
        self.step, self.straighten, self.deslant, self.max_length = step, straighten, deslant, max_length
        self.encoding: Encoding = encoding
        self.downward = y == "down"

    def prepare(self, raw: Any) -> NDArray[np.float32]:
        """Points ``[N, 4]``.

        Raises:
            InputError: the input is missing, no strokes or no InkML, empty, holds values that are no finite numbers, or
                comes to more points than `max_length`.
        """
        ink, frame, spaced = self._spaced(raw)
        places, points, starts = resample_ink(ink, spaced)
        rows = np.ones((len(places), 4), dtype=np.float32)
        rows[:, 0] = places
        rows[:, 1:3] = (points - (frame.x, frame.y)) / frame.unit
        rows[starts, 3] = 0.0
        return rows

    def length(self, raw: Any) -> int:
        """How many points `prepare` will give."""
        return self._spaced(raw)[2].count

    def warnings(self, raw: Any, prepared: NDArray[Any]) -> list[tuple[str, str]]:
        """``single dot``, ``only dots``, ``jump``, ``far apart``, ``repeated points``."""
        ink, frame, spaced = self._spaced(raw)
        name = _name(raw)
        if len(prepared) == 1:
            return [("single dot", f"{name}: all of it is a single dot ({len(ink.points)} points)")]
        if not spaced.intervals.any():
            what = "a stroke of points without a list of strokes around it?"
            return [("only dots", f"{name}: its {len(ink.starts)} strokes are dots; is it {what}")]
        found = []
        difference = np.diff(ink.points, axis=0)
        distance = np.hypot(difference[:, 0], difference[:, 1])
        lifted = np.zeros(len(distance), dtype=bool)
        lifted[ink.starts[1:] - 1] = True
        down, up = np.where(lifted, 0.0, distance), np.where(lifted, distance, 0.0)
        if len(ink.points) > FEW_POINTS:
            there, back = down.argmax(), np.argpartition(down, -2)[-2]  # a point that is far off is reached and left
            for kind, far, others in [
                ("jump", down, down.sum() - down[there] - down[back]),
                ("far apart", up, WIDE_GAP * down.sum()),
            ]:
                if far.max() > others:
                    at = int(far.argmax())
                    what = f"{far[at] / frame.unit:.3g} heights of the writing, out of all proportion to its lines"
                    found.append((kind, f"{name}: from point {at} to {at + 1} it is {what}"))
        still = int(((distance == 0) & ~lifted).sum())
        if 2 * still > len(ink.points):
            found.append(("repeated points", f"{name}: {still} of its {len(ink.points)} points repeat the one before"))
        return found

    def locate(self, prepared: NDArray[Any], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points -> numbers of the original points; behind the last one stands the next number.

        That is how many original points there are, unless a stroke of several ends it that is a dot: of this it is the
        number behind its middle.
        """
        places = prepared[:, 0].astype(np.float64)
        places = np.append(places, np.ceil(places[-1]) + 1)
        at = np.clip(steps, 0, len(places) - 1)
        before = np.minimum(np.floor(at).astype(np.int64), len(places) - 2)
        found: NDArray[np.float64] = places[before] + (at - before) * (places[before + 1] - places[before])
        return found

    def source(self, raw: Any) -> Source:
        """Places are numbers of points."""
        return Source()

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """Writing stays whole."""
        return None

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """An input is one piece of writing."""
        return None

    def opened(self) -> AbstractContextManager[None]:
        """Nothing is kept open."""
        return nullcontext()

    def drawing(self, raw: Any) -> list[NDArray[np.float64]]:
        """The original points of each stroke, ``[n, 2]``, y up; strokes without any are left out."""
        return self._read(raw).strokes()

    def _read(self, raw: Any) -> Ink:
        if isinstance(raw, FileSpan):
            if not raw.is_whole:
                raise InputError("bad value", f"{raw}: pen strokes have no start and end in seconds; leave both out")
            return read_inkml(raw.source)
        if isinstance(raw, (str, Path)) and raw != "":
            return read_inkml(Path(raw))
        if isinstance(raw, bytes):
            return read_inkml(raw)
        return parse_strokes(raw, _name(raw), encoding=self.encoding, downward=self.downward)

    def _spaced(self, raw: Any) -> tuple[Ink, Frame, Spacing]:
        """The strokes, straightened and upright if that is wanted, and how they are scaled and divided."""
        ink = self._read(raw)
        if self.straighten:
            rise = slope(ink)
            along = np.array([1.0, rise]) / np.hypot(1.0, rise)
            ink = Ink(np.stack([ink.points @ along, ink.points @ (-along[1], along[0])], axis=1), ink.starts)
        if self.deslant:
            lean = slant(ink)
            ink = Ink(np.stack([ink.points[:, 0] - lean * ink.points[:, 1], ink.points[:, 1]], axis=1), ink.starts)
        frame = frame_of(ink, self.height)
        spaced = spacing(ink, self.step * frame.unit)
        if spaced.count > self.max_length:
            raise InputError(
                "too long",
                f"{_name(raw)}: would come to {spaced.count:,} points, {self.step:g} of the writing's height apart; at "
                f"most {self.max_length:,} are taken (max_length). Is a coordinate far off, or a page given as a line?",
            )
        return ink, frame, spaced


def _name(raw: Any) -> str:
    """For messages."""
    if isinstance(raw, FileSpan):
        return str(raw)
    if isinstance(raw, (str, Path)):
        return str(raw) or "''"
    return f"<{len(raw)} bytes>" if isinstance(raw, bytes) else "pen strokes"
