"""Writing as another hand might have written it: pen strokes distorted while training."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.feature import Feature
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.pen.stroke_features import Step

WAVES = (0.3, 1.5)
"""Of a warp along the writing, in radians per height of it: from four to twenty heights long."""
SMOOTH = 5
"""Points that the jitter of the pen is averaged over."""
Amount = Annotated[float, Field(ge=0, le=2)]


class StrokeDistortion(Feature):
    """Distort the writing of each row while training, smoothly and as a whole; the order of strokes stays.

    Every amount is the bound of a uniform draw for each row, to both sides, if nothing else is said; lengths are in
    heights of the writing. The distortions apply in the order in which they stand here.

    Args:
        step: of the points.
        strength: multiplies all amounts but ``drop``; 0 changes nothing.
        stretch: of local width, relative: letters are wider here and narrower there.
        swell: of local height, relative.
        wave: of the line that the writing stands on.
        scale_x, scale_y: natural logarithm of the factor.
        shear: tangent of the slant.
        rotation: degrees.
        shift: up or down.
        stroke_shift: standard deviation by which a stroke lies aside of its place, in x and in y.
        jitter: standard deviation of a tremor of the pen, which is smoothed over five points and doubled.
        drop: the largest share of a row's points to leave out, drawn from 0 on. A stroke keeps both its ends, so fewer
            may go. Rows get shorter.

    Shape: ``[B, N, 4]`` -> ``[B, N', 4]``, N' <= N; places and pen stay those of the points. In evaluation nothing
    changes. Draws come from torch's generator on the CPU.
    """

    augments = True
    warps = True

    def __init__(
        self,
        *,
        step: Step,
        strength: Annotated[float, Field(ge=0, le=4)] = 1.0,
        stretch: Amount = 0.18,
        swell: Amount = 0.15,
        wave: Amount = 0.1,
        scale_x: Amount = 0.25,
        scale_y: Amount = 0.15,
        shear: Amount = 0.35,
        rotation: Annotated[float, Field(ge=0, le=90)] = 7.0,
        shift: Amount = 0.15,
        stroke_shift: Amount = 0.06,
        jitter: Amount = 0.03,
        drop: Annotated[float, Field(ge=0, le=0.9)] = 0.0,
    ) -> None:
        super().__init__()
        self.step, self.strength, self.drop = step, strength, drop
        self.stretch, self.swell, self.wave = stretch, swell, wave
        self.scale_x, self.scale_y, self.shear, self.rotation = scale_x, scale_y, shear, rotation
        self.shift, self.stroke_shift, self.jitter = shift, stroke_shift, jitter
        self.output_size = 4

    def min_length(self, length: int) -> int:
        """Points that are left at least."""
        return length - int(self.drop * length)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Distort and drop while training."""
        if not self.training:
            return sequence
        if self.strength:
            sequence = self._moved(sequence)
        return _dropped(sequence, self.drop) if self.drop else sequence

    def _moved(self, sequence: PaddedSequence) -> PaddedSequence:
        values, lengths = sequence.masked()
        batch, steps, _ = values.shape
        mask = sequence.mask()
        middle = values[..., 1].sum(dim=1, keepdim=True) / lengths[:, None].clamp(min=1)
        x, y = values[..., 1] - middle, values[..., 2]

        def drawn(bound: float) -> Tensor:  # on the CPU: alike on every device
            return (self.strength * bound * (2 * torch.rand(batch, 1) - 1)).to(values)

        low, high = WAVES
        per_height = (low + (high - low) * torch.rand(batch, 1)).to(values)
        phase, other = (2 * math.pi * torch.rand(2, batch, 1)).to(values)
        wide = x + drawn(self.stretch) / per_height * torch.sin(per_height * x + phase)
        lifted = drawn(self.wave) * torch.sin(0.7 * per_height * x + phase)
        y = y * (1 + drawn(self.swell) * torch.sin(per_height * x + other)) + lifted
        x = wide * drawn(self.scale_x).exp() + y * drawn(self.shear)
        y = y * drawn(self.scale_y).exp()
        angle = drawn(math.radians(self.rotation))
        x, y = x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()
        points = torch.stack([x + middle, y + drawn(self.shift)], dim=-1)

        stroke = ((values[..., 3] == 0) & mask).cumsum(dim=1).sub(1).clamp(min=0)
        aside = self.strength * self.stroke_shift * torch.randn(batch, int(stroke.max()) + 1, 2)
        points = points + aside.to(values).gather(1, stroke[..., None].expand(-1, -1, 2))
        tremor = 2 * self.strength * self.jitter * torch.randn(batch, 2, steps + SMOOTH - 1)
        points = points + F.avg_pool1d(tremor, SMOOTH, stride=1).transpose(1, 2).to(values)
        moved = torch.cat([values[..., :1], points, values[..., 3:]], dim=-1)
        return PaddedSequence(moved.masked_fill(~mask[..., None], 0.0), lengths)


def _dropped(sequence: PaddedSequence, most: float) -> PaddedSequence:
    """Rows without a drawn share of their points, from 0 to ``most``; ends of strokes stay."""
    values, lengths = sequence.masked()
    batch, steps, size = values.shape
    mask = sequence.mask()
    starts = (values[..., 3] == 0) & mask
    ends = F.pad(starts[:, 1:], (0, 1)) | (torch.arange(steps, device=values.device) == lengths[:, None] - 1)
    inner = mask & ~starts & ~ends
    wanted = (most * torch.rand(batch, 1).to(values) * lengths[:, None]).long()
    # The points with the lowest drawn numbers go, of those that may.
    numbers = torch.rand(batch, steps).to(values).masked_fill(~inner, 2.0)
    rank = numbers.argsort(dim=1, stable=True).argsort(dim=1)
    kept = mask & ~(inner & (rank < wanted))
    left = kept.sum(dim=1)
    order = (~kept).int().argsort(dim=1, stable=True)[:, : int(left.max())]
    return PaddedSequence(values.gather(1, order[..., None].expand(-1, -1, size)), left).masked()
