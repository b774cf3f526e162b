"""Subword steps back to words."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence

WordPooling = Literal["mean", "max", "first", "last"]


def pool_words(units: PaddedSequence, begins: Tensor, how: WordPooling) -> PaddedSequence:
    """One step for each word, from those of its units.

    Args:
        units: ``[B, T, D]``.
        begins: ``[B, T]``, 1 where a word begins; a row's first step has to be one.
        how: ``mean``, ``max``, ``first`` or ``last`` of a word's units.

    Returns:
        ``[B, words, D]``, zeros in the padding.
    """
    values, lengths = units.masked()
    mask = units.mask()
    word = torch.where(mask, begins[:, : values.shape[1]].cumsum(dim=1) - 1, 0)  # [B, T], counted from 0
    counts = torch.where(mask, word + 1, 0).amax(dim=1)
    shape = (len(values), int(counts.max()), values.shape[2])
    index = word.unsqueeze(-1).expand_as(values)
    if how == "max":
        lowest = torch.full(shape, float("-inf"), dtype=values.dtype, device=values.device)
        filled = values.masked_fill(~mask.unsqueeze(-1), float("-inf"))
        pooled = lowest.scatter_reduce(1, index, filled, "amax")
    else:
        chosen = mask
        if how == "first":
            chosen = mask & (begins[:, : values.shape[1]] == 1)
        elif how == "last":
            following = torch.cat([word[:, 1:], torch.full_like(word[:, :1], -1)], dim=1)
            final = torch.arange(values.shape[1], device=values.device)[None] == lengths[:, None] - 1
            chosen = mask & ((following != word) | final)
        weight = chosen.to(values.dtype).unsqueeze(-1)
        pooled = values.new_zeros(shape).scatter_add(1, index, values * weight)
        if how == "mean":
            size = values.new_zeros(*shape[:2], 1).scatter_add(1, index[..., :1], weight)
            pooled = pooled / size.clamp(min=1)
    return PaddedSequence(pooled, counts).masked()
