"""What a recogniser of online handwriting sees of each point of the strokes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import Upstream
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.pen.stroke_context import ink_around
from seqpipe.features.pen.stroke_nodes import StrokeNodes

Kind = Literal[
    "direction", "curvature", "differences", "height", "pen_up", "jump", "delayed", "box", "vicinity", "context"
]
Step = Annotated[float, Field(gt=0), Upstream("step")]
"""Arc length from point to point, in heights of the writing; passed by the pipeline."""
Offsets = Annotated[list[Annotated[float, Field(ge=-10, le=10)]], Field(min_length=1, max_length=25)]
SIZES = {
    "direction": 2,
    "curvature": 2,
    "differences": 2,
    "height": 1,
    "pen_up": 1,
    "jump": 2,
    "delayed": 2,
    "box": 3,
    "vicinity": 5,
}
"""Features of each kind; of ``context`` as many as there are places."""
STILL = 1e-3
"""Added to the length of a vector when it is scaled to length 1, in heights: what is shorter has no direction."""
LEAST_BOX = 0.25
"""Of the writing's height: the least side of a box, so that a line isn't blown up."""


class StrokeFeatures(Feature):
    """Features of each point of pen strokes, scaled to be of order 1.

    d is the way from the point before within the stroke, e that to the next one, 0 beyond a stroke's ends.

    - ``direction`` (2): cosine and sine of the writing direction, that of d + e (Guyon et al. 1991; NPen++, Jaeger et
      al. 2001).
    - ``curvature`` (2): cosine and sine of the angle from d to e; 0 at a stroke's ends (the same).
    - ``differences`` (2): d in steps, x and y (Graves et al. 2009).
    - ``height`` (1): y.
    - ``pen_up`` (1): 1 where the pen was lifted before the point: at a stroke's first.
    - ``jump`` (2): there, the way of the lifted pen, asinh of x and y (which leaves short ways as they are); else 0.
    - ``delayed`` (2): how far left the point lies of what was written before, and how far back the pen will come,
      asinh: the dots and bars that come late ("hat feature" of NPen++, as a distance).
    - ``box`` (3): x and y from -1 to 1 in the writing's own box, and the logarithm of its width over its height. For
      single characters.
    - ``vicinity`` (5): of the points up to ``reach`` before and behind in the stroke: aspect, curliness, linearity, and
      cosine and sine of the slope from first to last (NPen++; Liwicki & Bunke 2006, "HMM-based on-line recognition of
      handwritten whiteboard notes").
    - ``context``: ink around the point, whenever it was written, at each pair of offsets ``across`` and ``upward``
      (`ink_around`; "context maps" of NPen++ and of Graves et al. 2009, "A novel connectionist system for unconstrained
      handwriting recognition").

    Args:
        step: of the points.
        features: kinds, each once, in the order in which they are to stand.
        cell: side of a cell of the context's grid, in heights of the writing.
        across, upward: offsets of the context, in heights of the writing.
        reach: of the vicinity, in points.

    Shape: ``[B, N, 4]`` (place, x, y, pen down, as `PenStrokes` gives them) -> ``[B, N, D]``, 0 in the padding.
    """

    def __init__(
        self,
        *,
        step: Step,
        features: Annotated[list[Kind], Field(min_length=1)] = [  # noqa: B006
            "direction",
            "curvature",
            "height",
            "pen_up",
            "jump",
            "delayed",
            "context",
        ],
        cell: Annotated[float, Field(ge=0.02, le=2)] = 0.3,
        across: Offsets = [-0.6, 0.0, 0.6],  # noqa: B006
        upward: Offsets = [-2.0, -1.2, -0.6, 0.0, 0.6, 1.2, 2.0],  # noqa: B006
        reach: Annotated[int, Field(gt=0, le=10)] = 2,
    ) -> None:
        super().__init__()
        if len(set(features)) < len(features):
            raise ConfigError([(("features",), f"should name each kind once; received {', '.join(features)}")])
        self.step, self.features, self.reach = step, features, reach
        self.cell, self.across, self.upward = cell, across, upward
        sizes = {**SIZES, "context": len(across) * len(upward)}
        self.output_size = sum(sizes[kind] for kind in features)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """The features, side by side."""
        values, lengths = sequence.masked()
        mask = sequence.mask()
        points, down = values[..., 1:3], values[..., 3] > 0  # the padding counts as the beginnings of strokes
        moves = F.pad(points[:, 1:] - points[:, :-1], (0, 0, 1, 0))
        drawn = moves * down[..., None]
        following = F.pad(drawn[:, 1:], (0, 0, 0, 1))
        makers: dict[Kind, Callable[[], Tensor]] = {
            "direction": lambda: _unit(drawn + following),
            "curvature": lambda: _turn(_unit(drawn), _unit(following)),
            "differences": lambda: drawn / self.step,
            "height": lambda: points[..., 1:],
            "pen_up": lambda: (~down).to(values.dtype)[..., None],
            "jump": lambda: torch.asinh(moves * ~down[..., None]),
            "delayed": lambda: _delayed(points[..., 0], mask),
            "box": lambda: _boxed(points, mask),
            "vicinity": lambda: _vicinity(points, down, lengths, self.reach, self.step),
            "context": lambda: ink_around(
                points, mask, cell=self.cell, step=self.step, across=self.across, upward=self.upward
            ),
        }
        made = torch.cat([makers[kind]() for kind in self.features], dim=-1)
        return PaddedSequence(made.masked_fill(~mask[..., None], 0.0), lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        nodes = StrokeNodes.of(graph, sequence, STILL)
        lifted = graph.op("Not", nodes.down)
        moves = nodes.moves()
        drawn = nodes.where(nodes.down, moves)
        following = nodes.following(drawn)
        makers: dict[Kind, Callable[[], str]] = {
            "direction": lambda: nodes.unit(graph.op("Add", drawn, following)),
            "curvature": lambda: nodes.turn(nodes.unit(drawn), nodes.unit(following)),
            "differences": lambda: graph.op("Div", drawn, graph.constant(self.step)),
            "height": lambda: graph.slice(nodes.points, 1, 2, 2),
            "pen_up": lambda: nodes.column(graph.op("Cast", lifted, to=1)),
            "jump": lambda: graph.op("Asinh", nodes.where(lifted, moves)),
            "delayed": nodes.delayed,
            "box": lambda: nodes.boxed(LEAST_BOX),
            "vicinity": lambda: nodes.vicinity(self.reach, self.step),
            "context": lambda: nodes.ink_around(cell=self.cell, step=self.step, across=self.across, upward=self.upward),
        }
        made = graph.concatenate([makers[kind]() for kind in self.features])
        return graph.masked(Symbol(made, sequence.lengths))


def _unit(vectors: Tensor) -> Tensor:
    """Vectors ``[..., 2]`` of nearly length 1; 0 stays 0."""
    return vectors / (vectors.norm(dim=-1, keepdim=True) + STILL)


def _turn(before: Tensor, behind: Tensor) -> Tensor:
    """Cosine and sine of the angle from one unit vector to another, ``[..., 2]``; 0 where one of them is 0."""
    cosine = (before * behind).sum(dim=-1)
    sine = before[..., 0] * behind[..., 1] - before[..., 1] * behind[..., 0]
    return torch.stack([cosine, sine], dim=-1)


def _delayed(x: Tensor, mask: Tensor) -> Tensor:
    """How far the rightmost point so far is to the right, and the leftmost one from here on to the left."""
    farthest = x.masked_fill(~mask, -math.inf).cummax(dim=1).values
    nearest = x.masked_fill(~mask, math.inf).flip(1).cummin(dim=1).values.flip(1)
    return torch.asinh(torch.stack([farthest - x, x - nearest], dim=-1))


def _boxed(points: Tensor, mask: Tensor) -> Tensor:
    """x and y in the row's own box, and how wide that is."""
    absent = ~mask[..., None]
    low = points.masked_fill(absent, math.inf).amin(dim=1, keepdim=True)
    high = points.masked_fill(absent, -math.inf).amax(dim=1, keepdim=True)
    side = high - low  # [B, 1, 2]
    place = (points - (low + high) / 2) / side.clamp(min=LEAST_BOX) * 2
    shape = (side[..., :1] / side[..., 1:].clamp(min=0.05)).clamp(0.1, 10).log()
    return torch.cat([place, shape.expand(*points.shape[:2], 1)], dim=-1)


def _vicinity(points: Tensor, down: Tensor, lengths: Tensor, reach: int, step: float) -> Tensor:
    """Aspect, curliness, linearity and slope of the points around each, none of another stroke."""
    number = torch.arange(points.shape[1], device=points.device).expand(down.shape)
    first = torch.where(down, torch.zeros_like(number), number).cummax(dim=1).values
    # A stroke ends before the next one's first point, or with its row.
    ends = F.pad(~down[:, 1:], (0, 1), value=True) | (number == lengths[:, None] - 1)
    none = torch.full_like(number, points.shape[1] - 1)
    last = torch.where(ends, number, none).flip(1).cummin(dim=1).values.flip(1)
    around = number[..., None] + torch.arange(-reach, reach + 1, device=points.device)  # [B, N, 2 · reach + 1]
    around = torch.minimum(torch.maximum(around, first[..., None]), last[..., None])
    window = points.gather(1, around.flatten(1)[..., None].expand(-1, -1, 2)).reshape(*around.shape, 2)
    side = window.amax(dim=2) - window.amin(dim=2)  # [B, N, 2]
    width, height = side.unbind(dim=-1)
    aspect = (height - width) / (height + width + STILL)
    way = (window[:, :, 1:] - window[:, :, :-1]).norm(dim=-1).sum(dim=-1)
    curliness = way / (side.amax(dim=-1) + STILL) - 2
    slope = _unit(window[:, :, -1] - window[:, :, 0])
    apart = window - window[:, :, :1]
    off_line = apart[..., 1] * slope[..., None, 0] - apart[..., 0] * slope[..., None, 1]
    linearity = off_line.square().mean(dim=-1) / step**2
    return torch.cat([torch.stack([aspect, curliness, linearity], dim=-1), slope], dim=-1)
