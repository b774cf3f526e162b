"""Noise in line images while training."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Generator

from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.image.augmentation.row_augmentation import RowAugmentation, uniform
from seqpipe.features.ranges import Probability, check_ranges

Share = Annotated[float, Field(ge=0, le=1)]
ShareRange = tuple[Share, Share]


class ImageNoise(RowAugmentation):
    """Grain of the camera, uneven ink and dust: noise in every pixel by itself.

    The strength of each kind is drawn uniformly for each row. What leaves 0 to 1 is clipped.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row gets noise, 0 to 1.
        gaussian: smallest and largest standard deviation of what is added, where 1 is from paper to ink.
        speckle: the same of what each pixel is multiplied with, around 1: ink grows uneven, paper stays clean.
        salt_and_pepper: smallest and largest share of pixels that become paper or ink, one as likely as the other.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper) -> ``[B, W, H]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.3,
        gaussian: ShareRange = (0.0, 0.08),
        speckle: ShareRange = (0.0, 0.0),
        salt_and_pepper: ShareRange = (0.0, 0.002),
    ) -> None:
        super().__init__(input_size=input_size, probability=probability)
        check_ranges("ImageNoise", gaussian=gaussian, speckle=speckle, salt_and_pepper=salt_and_pepper)
        self.gaussian, self.speckle, self.salt_and_pepper = gaussian, speckle, salt_and_pepper

    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """Add noise of drawn strengths."""
        values = rows.values
        for row, length, generator in zip(values, rows.lengths.tolist(), generators, strict=True):
            pixels = row[:length]
            gaussian, speckle, dust = (
                uniform(generator, *strengths) for strengths in (self.gaussian, self.speckle, self.salt_and_pepper)
            )
            if speckle:
                pixels *= 1 + speckle * torch.randn(pixels.shape, generator=generator).to(pixels.device)
            if gaussian:
                pixels += gaussian * torch.randn(pixels.shape, generator=generator).to(pixels.device)
            if count := round(dust * pixels.numel()):
                places = torch.randint(pixels.numel(), (count,), generator=generator).to(pixels.device)
                colours = torch.randint(2, (count,), generator=generator).to(pixels)
                row.view(-1)[places] = colours
        return PaddedSequence(values.clamp_(0.0, 1.0), rows.lengths)
