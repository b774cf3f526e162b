"""Darker and paler ink in line images while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Generator

from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.image.augmentation.row_augmentation import RowAugmentation, drawn_column
from seqpipe.features.ranges import Probability, check_ranges

Factor = Annotated[float, Field(gt=0, le=10)]


class InkIntensity(RowAugmentation):
    """Write a line with another ink: each pixel v of it becomes ``scale · v ** gamma``, at most 1.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is changed, 0 to 1.
        gamma: smallest and largest exponent, drawn uniformly for each row: above 1 grey pixels fade, and with them
            faint strokes and the dirt of the paper; below 1 they darken. Paper and full ink stay.
        scale: smallest and largest factor, drawn uniformly for each row: below 1 all ink is paler, above 1 darker.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper) -> ``[B, W, H]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.5,
        gamma: tuple[Factor, Factor] = (0.7, 1.4),
        scale: tuple[Factor, Factor] = (0.6, 1.2),
    ) -> None:
        super().__init__(input_size=input_size, probability=probability)
        check_ranges("InkIntensity", gamma=gamma, scale=scale)
        self.gamma, self.scale = gamma, scale

    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """Change the ink."""
        gamma = drawn_column(generators, *self.gamma, rows.values)
        scale = drawn_column(generators, *self.scale, rows.values)
        return PaddedSequence((rows.values**gamma * scale).clamp_(max=1.0), rows.lengths)
