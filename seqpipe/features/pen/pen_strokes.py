"""Online handwriting in: pen strokes of any tablet become evenly spaced points of writing of one size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Reader
from seqpipe.core.input import FileSpan
from seqpipe.core.measure import POINTS
from seqpipe.core.picture import Drawing
from seqpipe.core.randomness import RowKey
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


class PenStrokes(Reader):
    """Read pen strokes, bring the writing to one size, and space its points evenly.

    Rid of what differs between tablets and hands and says nothing of the text: place, size, sampling rate and speed.

    Args:
        height: what becomes 1: ``core``, the height of small letters, for words and lines; ``full``, the whole height;
            ``box``, the larger of height and width, for single characters (`frame_of`).
        step: arc length from point to point, in units of the height. A stroke keeps both its ends, and one of half a
            step or less is a single point: a dot.
        straighten: turn the writing so that the line it stands on is level (`slope`).
        deslant: shear it so that downstrokes are upright (`slant`).
        encoding: ``points``; or ``differences``: in flat lists, all points but a stroke's first stand as differences
            from the point before. Lists of points, mappings with x and y, and InkML say themselves what they hold.
        y: where y grows: ``up``, or ``down``, as on screens. In InkML the standard says it.
        max_length: points that an input may come to.

    Shape: ``[N, 4]``, in batches ``[B, N, 4]`` -> ``[B, N, 4]``: the place (number of the original point, counted
    through all strokes, with fractions between two), x, y (up), and 1 where the point is joined to the one before, 0 at
    the first of a stroke.

    An input is a list of strokes (`parse_strokes`: flat lists of numbers, lists of points, mappings with x and y), a
    mapping with ``strokes``, or an InkML file: a path, a `FileSpan`, or its bytes.
    """

    suffixes = INK_SUFFIXES
    measure = POINTS
    concatenates: ClassVar[bool] = False  # each begins at the left of a line of its own

    def __init__(
        self,
        *,
        height: HeightKind = "core",
        step: Annotated[float, Field(ge=0.005, le=2)] = 0.2,
        straighten: bool = False,
        deslant: bool = False,
        encoding: Encoding = "points",
        y: Literal["up", "down"] = "up",
        max_length: Annotated[int, Field(gt=0)] = 20_000,
    ) -> None:
        super().__init__()
        self.height: HeightKind = height
        self.step, self.straighten, self.deslant, self.max_length = step, straighten, deslant, max_length
        self.encoding: Encoding = encoding
        self.downward = y == "down"
        self.output_size = 4

    def prepare(self, raw: Any, key: RowKey | None) -> Tensor:
        """Points ``[N, 4]``, float32.

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
        return torch.from_numpy(rows)

    def length(self, raw: Any) -> int:
        """How many points `prepare` will give."""
        return self._spaced(raw)[2].count

    def warnings(self, raw: Any, prepared: Tensor) -> list[tuple[str, str]]:
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

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Points -> numbers of the original points; behind the last one stands the next number.

        That is how many original points there are, unless a stroke of several ends it that is a dot: of this it is the
        number behind its middle.
        """
        places = prepared[:, 0].double()
        places = torch.cat([places, places[-1:].ceil() + 1])
        at = steps.double().clamp(0, len(places) - 1)
        before = at.floor().long().clamp(max=len(places) - 2)
        return torch.lerp(places[before], places[before + 1], at - before)

    def drawing(self, raw: Any) -> list[NDArray[np.float64]]:
        """The original points of each stroke, ``[n, 2]``, y up; strokes without any are left out."""
        return self._read(raw).strokes()

    def preview(self, raw: Any) -> Drawing:
        """The strokes as they were written."""
        return Drawing(self.drawing(raw))

    def preview_of(self, values: Tensor) -> Drawing:
        """The strokes of a row ``[N, 4]``."""
        points = values[:, 1:3].numpy()
        return Drawing(np.split(points, np.flatnonzero(values[1:, 3].numpy() == 0) + 1))

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
