"""Darker and paler ink in line images while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Generator

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.image.augmentation.row_augmentation import Probability, augment_rows, check_ranges, drawn_column

Factor = Annotated[float, Field(gt=0, le=10)]


class InkIntensity(Feature):
    """Write a line with another ink: each pixel v of it becomes ``scale · v ** gamma``, at most 1.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is changed, 0 to 1.
        gamma: smallest and largest exponent, drawn uniformly for each row: above 1 grey pixels fade, and with them
            faint strokes and the dirt of the paper; below 1 they darken. Paper and full ink stay.
        scale: smallest and largest factor, drawn uniformly for each row: below 1 all ink is paler, above 1 darker.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper) -> ``[B, W, H]``; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.5,
        gamma: tuple[Factor, Factor] = (0.7, 1.4),
        scale: tuple[Factor, Factor] = (0.6, 1.2),
    ) -> None:
        super().__init__()
        check_ranges("InkIntensity", gamma=gamma, scale=scale)
        self.probability = probability
        self.gamma, self.scale = gamma, scale
        self.output_size = input_size

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Change ink while training."""
        return augment_rows(sequence, self.probability, self._changed) if self.training else sequence

    def _changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        gamma = drawn_column(generators, *self.gamma, rows.values)
        scale = drawn_column(generators, *self.scale, rows.values)
        return PaddedSequence((rows.values**gamma * scale).clamp_(max=1.0), rows.lengths)
