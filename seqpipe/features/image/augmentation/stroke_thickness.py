"""Thicker and thinner strokes of line images while training."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor

from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.image.augmentation.row_augmentation import RowAugmentation, drawn_column
from seqpipe.features.ranges import Probability

Pixels = Annotated[float, Field(ge=0, le=4)]


class StrokeThickness(RowAugmentation):
    """Write a line with a broader or a finer pen: grey-scale dilation or erosion (Serra 1982).

    A pixel becomes the darkest (dilation) or the lightest (erosion) of itself and its four neighbours, once for each
    pixel of strength; a fraction is a blend of the picture before and after. What is drawn lies between thinnest and
    thickest, each strength equally likely. Around the picture and beyond a row's end is paper.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is changed, 0 to 1.
        thinning: most that strokes lose on each side, in pixels; thin strokes fade.
        thickening: most that strokes gain on each side, in pixels.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper) -> ``[B, W, H]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.3,
        thinning: Pixels = 0.5,
        thickening: Pixels = 0.7,
    ) -> None:
        super().__init__(input_size=input_size, probability=probability)
        self.thinning, self.thickening = thinning, thickening

    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """Change strokes."""
        strength = drawn_column(generators, -self.thinning, self.thickening, rows.values)
        # The lightest neighbour is the darkest one of the negative; paper, being 0, is 0 in both.
        sign = torch.where(strength < 0, -1.0, 1.0)
        signed = PaddedSequence(rows.values * sign, rows.lengths)
        for done in range(math.ceil(max(self.thinning, self.thickening))):
            share = (strength.abs() - done).clamp(0.0, 1.0)
            grown = torch.lerp(signed.values, darkest_neighbours(signed.values), share)
            signed = PaddedSequence(grown, rows.lengths).masked()
        return PaddedSequence(signed.values * sign, rows.lengths)


def darkest_neighbours(values: Tensor) -> Tensor:
    """The largest of each pixel of ``[B, W, H]``, the two beside it and the two above and below; 0 outside."""
    across = F.pad(values, (1, 1))
    along = F.pad(values, (0, 0, 1, 1))
    # Slices: torch's max-pooling took 40 times as long on a CPU.
    darkest = torch.maximum(values, across[:, :, :-2])
    for shifted in (across[:, :, 2:], along[:, :-2], along[:, 2:]):
        darkest = torch.maximum(darkest, shifted)
    return darkest
