"""Rectangles of line images, hidden while training."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Generator

from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.image.augmentation.row_augmentation import RowAugmentation
from seqpipe.features.ranges import Probability, check_ranges

Count = Annotated[int, Field(ge=0)]
Pixels = Annotated[int, Field(ge=1)]


class RandomErasing(RowAugmentation):
    """Hide drawn rectangles of a line, as holes and stains do (Zhong et al. 2020; DeVries & Taylor 2017, "Cutout").

    Their number, sizes and places are drawn uniformly for each row; none reaches over an edge of the picture.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is touched at all, 0 to 1.
        count: fewest and most rectangles of a row.
        width: smallest and largest, in pixels.
        height: smallest and largest, in pixels; at most the line's.
        share: of a row's area that they cover at most, 0 to 1: a rectangle that would go beyond it is left out.
        fill: ``paper``, or ``mean``, the mean grey of the row.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper) -> ``[B, W, H]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.3,
        count: tuple[Count, Count] = (1, 6),
        width: tuple[Pixels, Pixels] = (3, 10),
        height: tuple[Pixels, Pixels] = (6, 24),
        share: Annotated[float, Field(ge=0, le=1)] = 0.05,
        fill: Literal["paper", "mean"] = "paper",
    ) -> None:
        super().__init__(input_size=input_size, probability=probability)
        check_ranges("RandomErasing", count=count, width=width, height=height)
        self.count, self.width, self.height = count, width, height
        self.share, self.fill = share, fill

    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """Hide rectangles."""
        for row, length, generator in zip(rows.values, rows.lengths.tolist(), generators, strict=True):
            pixels = row[:length]
            colour = pixels.mean() if self.fill == "mean" else 0.0
            left = self.share * pixels.numel()
            for _ in range(_integer(generator, *self.count)):
                width = min(_integer(generator, *self.width), length)
                height = min(_integer(generator, *self.height), pixels.shape[1])
                x = _integer(generator, 0, length - width)
                y = _integer(generator, 0, pixels.shape[1] - height)
                if width * height <= left:
                    left -= width * height
                    pixels[x : x + width, y : y + height] = colour
        return rows


def _integer(generator: Generator, low: int, high: int) -> int:
    return int(torch.randint(low, high + 1, (), generator=generator))
