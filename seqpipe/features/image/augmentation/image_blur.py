"""Line images out of focus while training."""

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
from seqpipe.features.ranges import Probability, check_ranges

Sigma = Annotated[float, Field(ge=0, le=10)]


class ImageBlur(RowAugmentation):
    """Blur a line with a Gaussian, as a camera out of focus does.

    Args:
        input_size: H, the height of a line in pixels.
        probability: that a row is blurred, 0 to 1.
        sigma: smallest and largest standard deviation of the Gaussian, in pixels; drawn uniformly for each row.

    Shape: ``[B, W, H]`` in 0 to 1 (0 is paper, also outside) -> ``[B, W, H]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Probability = 0.3,
        sigma: tuple[Sigma, Sigma] = (0.3, 1.2),
    ) -> None:
        super().__init__(input_size=input_size, probability=probability)
        check_ranges("ImageBlur", sigma=sigma)
        self.sigma = sigma

    def changed(self, rows: PaddedSequence, generators: list[Generator]) -> PaddedSequence:
        """Blur each row by a drawn deviation."""
        sigmas = drawn_column(generators, *self.sigma, rows.values)
        return PaddedSequence(blurred(rows.values, sigmas, math.ceil(3 * self.sigma[1])), rows.lengths)


def blurred(values: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    """``[B, W, H]`` under a Gaussian for each row.

    Args:
        values: 0 (paper) in the padding.
        sigmas: ``[B, 1, 1]``, in pixels; the picture stays as it is at 0.
        radius: pixels after which the Gaussian is cut off.
    """
    if radius == 0:
        return values
    distance = torch.arange(-radius, radius + 1, device=values.device)
    weights = torch.exp(-0.5 * (distance / sigmas.clamp(min=1e-3)) ** 2)  # [B, 1, 2 radius + 1]
    weights = weights / weights.sum(dim=2, keepdim=True)
    # Sums of shifted pictures: a grouped convolution is as fast, but oneDNN keeps a primitive for each of its shapes.
    for dimension, around in ((1, (0, 0, radius, radius)), (2, (radius, radius))):
        wide, size = F.pad(values, around), values.shape[dimension]
        values = wide.narrow(dimension, 0, size) * weights[:, :, :1]
        for shift in range(1, 2 * radius + 1):
            values.addcmul_(wide.narrow(dimension, shift, size), weights[:, :, shift : shift + 1])
    return values.clamp_(0.0, 1.0)
