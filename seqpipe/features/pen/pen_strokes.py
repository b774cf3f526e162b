"""Online handwriting in: pen strokes of any tablet become evenly spaced points of writing of one size."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Reader
from seqpipe.core.measure import POINTS
from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol
from seqpipe.core.picture import Drawing
from seqpipe.core.randomness import RowKey
from seqpipe.core.suffixes import INK_SUFFIXES
from seqpipe.data.ink.strokes import Encoding
from seqpipe.errors import ConfigError
from seqpipe.features.pen.ink_points import InkPoints
from seqpipe.features.pen.stroke_nodes import MAX_POINTS
from seqpipe.features.pen.writing_size import HeightKind


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
        self.points = InkPoints(
            height=height,
            step=step,
            straighten=straighten,
            deslant=deslant,
            encoding=encoding,
            y=y,
            max_length=max_length,
        )
        self.output_size = 4

    def prepare(self, raw: Any, key: RowKey | None) -> Tensor:
        """Points ``[N, 4]``, float32; raises `InputError` as `InkPoints.prepare` does."""
        return torch.from_numpy(self.points.prepare(raw))

    def length(self, raw: Any) -> int:
        """How many points `prepare` will give."""
        return self.points.length(raw)

    def warnings(self, raw: Any, prepared: Tensor) -> list[tuple[str, str]]:
        """See `InkPoints.warnings`."""
        return self.points.warnings(raw, prepared.numpy())

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Points -> numbers of the original points; see `InkPoints.locate`."""
        places = self.points.locate(prepared.cpu().numpy(), steps.cpu().double().numpy())
        return torch.from_numpy(np.asarray(places)).to(steps.device)

    def onnx_input(self) -> Form:
        """Points as they are prepared.

        Raises:
            ConfigError: inputs may have more points than features of strokes are exact for in a graph.
        """
        if self.max_length > MAX_POINTS:
            message = f"{self.max_length:,} can't be exported; it may be {MAX_POINTS:,} at most"
            raise ConfigError(message).within("pipeline", "features", "PenStrokes", "max_length")
        return Form("float32", ("rows", "points", 4))

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        return sequence

    def drawing(self, raw: Any) -> list[NDArray[np.float64]]:
        """The original points of each stroke, ``[n, 2]``, y up; strokes without any are left out."""
        return self.points.drawing(raw)

    def preview(self, raw: Any) -> Drawing:
        """The strokes as they were written."""
        return Drawing(self.drawing(raw))

    def preview_of(self, values: Tensor) -> Drawing:
        """The strokes of a row ``[N, 4]``."""
        points = values[:, 1:3].numpy()
        return Drawing(np.split(points, np.flatnonzero(values[1:, 3].numpy() == 0) + 1))
