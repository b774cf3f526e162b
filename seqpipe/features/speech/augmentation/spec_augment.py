"""SpecAugment: hide stretches of time and bands of frequency while training."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence


class SpecAugment(Feature):
    """Set drawn blocks of steps and of features to zero while training (Park et al. 2019, without time warping).

    Zero is the mean after `Normalization`, so that belongs in front. Draws come from torch's generator, which training
    seeds anew at every step.

    Args:
        input_size: D, features of a step.
        time_masks: blocks of steps.
        time_width: longest block, in steps; each is drawn uniformly from 0 to this.
        time_share: a block never hides more than this share of its row, 0 to 1.
        feature_masks: blocks of neighbouring features (frequency bands).
        feature_width: widest block, in features.

    Shape: ``[B, T, D]`` -> ``[B, T, D]``; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        input_size: InputSize,
        time_masks: Annotated[int, Field(ge=0)] = 2,
        time_width: Annotated[int, Field(ge=0)] = 40,
        time_share: Annotated[float, Field(ge=0, le=1)] = 0.2,
        feature_masks: Annotated[int, Field(ge=0)] = 2,
        feature_width: Annotated[int, Field(ge=0)] = 20,
    ) -> None:
        super().__init__()
        self.time_masks, self.time_width, self.time_share = time_masks, time_width, time_share
        self.feature_masks, self.feature_width = feature_masks, min(feature_width, input_size)
        self.output_size = input_size

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Hide blocks while training."""
        if not self.training:
            return sequence
        values, lengths = sequence
        batch, steps, size = values.shape
        lengths_cpu = lengths.cpu()  # drawn on the CPU: the same blocks on every device
        widest = (lengths_cpu * self.time_share).long().clamp(max=self.time_width)
        hidden_steps = _blocks(self.time_masks, widest, lengths_cpu, steps)  # [B, T]
        widest = torch.full((batch,), self.feature_width)
        hidden_features = _blocks(self.feature_masks, widest, torch.full((batch,), size), size)  # [B, D]
        hidden = hidden_steps.unsqueeze(2) | hidden_features.unsqueeze(1)
        return PaddedSequence(values.masked_fill(hidden.to(values.device), 0.0), lengths)


def _blocks(count: int, widest: Tensor, room: Tensor, size: int) -> Tensor:
    """``[B, size]`` bool: ``count`` drawn blocks, each 0 to ``widest[b]`` long and inside ``room[b]``."""
    batch = len(room)
    width = (torch.rand(batch, count) * (widest[:, None] + 1)).long()
    start = (torch.rand(batch, count) * (room[:, None] - width + 1)).long()
    at = torch.arange(size)[None, None, :]
    return ((at >= start[..., None]) & (at < (start + width)[..., None])).any(dim=1)
