"""A sequence as one vector: the steps of a row pooled in one way or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from seqpipe.core.sequence import PaddedSequence, end_states

PoolingKind = Literal["mean", "root", "max", "end", "attention"]
"""``mean`` and ``max`` over the steps; ``root``: their sum over the root of their number, which stays of one size where
steps differ at random; ``end``: what each direction of a bidirectional encoder has seen last, its last
step and its first; ``attention``: a mean weighted by a learnt score of each step (Yang et al. 2016)."""


class Pooling(nn.Module):
    """Pool steps into one vector, the kinds side by side.

    Args:
        size: D, features of a step.
        kinds: at least one.

    Attributes:
        output_size: D times the number of kinds.
    """

    def __init__(self, size: int, kinds: Sequence[PoolingKind]) -> None:
        super().__init__()
        self.kinds = list(kinds)
        self.output_size = size * len(self.kinds)
        self.hidden = nn.Linear(size, size) if "attention" in self.kinds else None
        self.score = nn.Linear(size, 1, bias=False) if "attention" in self.kinds else None

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """``[B, T, D]`` -> ``[B, output_size]``."""
        values, lengths = sequence.masked()
        mask = sequence.mask().unsqueeze(-1)  # [B, T, 1]
        pooled = []
        for kind in self.kinds:
            if kind == "mean":
                pooled.append(values.sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1))
            elif kind == "root":
                pooled.append(values.sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1).sqrt())
            elif kind == "max":
                pooled.append(values.masked_fill(~mask, torch.finfo(values.dtype).min).amax(dim=1))
            elif kind == "end":
                pooled.append(end_states(PaddedSequence(values, lengths)))
            else:
                pooled.append((values * self.attention(sequence).unsqueeze(-1)).sum(dim=1))
        return torch.cat(pooled, dim=1)

    def attention(self, sequence: PaddedSequence) -> Tensor:
        """The weight of each step, ``[B, T]``, summing up to 1; 0 in the padding.

        Raises:
            ValueError: attention isn't among the kinds.
        """
        if self.hidden is None or self.score is None:
            raise ValueError(f"pooling is {', '.join(self.kinds)}; only attention has weights")
        values, _ = sequence.masked()
        scores = self.score(torch.tanh(self.hidden(values)))[..., 0].float()  # [B, T]
        return scores.masked_fill(~sequence.mask(), float("-inf")).softmax(dim=1).to(values.dtype)
