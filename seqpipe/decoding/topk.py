"""The likeliest of many labels, and of many hypotheses and labels."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64
"""Values whose greatest is looked at first."""
WIDE = 1024
"""From so many values on, looking twice is faster: 8 instead of 18 ms for the 10 greatest of 8,001, in 640 rows."""


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """``values.topk(count, dim=1)``, in less time where rows are wide: values and their places, greatest first.

    Which of equal values are found may differ from torch's choice.

    Args:
        values: ``[N, V]``.
        count: at most V.
    """
    if not _by_blocks(values):
        found = values.topk(count, dim=1)
        return found.values, found.indices
    _, _, places = topk_sums(values, values.new_zeros(len(values), 1, dtype=torch.float64), count)
    return values.gather(1, places), places


def _by_blocks(values: Tensor) -> bool:
    return values.shape[1] >= WIDE and values.device.type == "cpu"


def topk_sums(values: Tensor, added: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The greatest of each row's values when each of its W hypotheses adds a number of its own.

    Sums are exact to float64, and few are made: the greatest lie in those blocks whose own greatest ones are the
    greatest, so only these are searched.

    Args:
        values: ``[B · W, V]``.
        added: ``[B, W]`` float64.
        count: at most W · V.

    Returns:
        The sums, greatest first, whose hypotheses they are, and which labels: each ``[B, count]``.
    """
    (rows, width), size = added.shape, values.shape[1]
    blocks, rest = divmod(size, BLOCK)
    if not _by_blocks(values) or count > width * blocks:
        most = min(count, size)
        likely, labels = values.topk(most, dim=1)
        sums = (added[..., None] + likely.double().view(rows, width, most)).flatten(1)
        found = sums.topk(count, dim=1)
        return found.values, found.indices // most, labels.view(rows, -1).gather(1, found.indices)
    tops = values[:, : size - rest].unflatten(1, (blocks, BLOCK)).amax(dim=2)
    sums = (added[..., None] + tops.double().view(rows, width, blocks)).flatten(1)
    chosen = sums.topk(count, dim=1).indices
    origins = (chosen // blocks).repeat_interleave(BLOCK, dim=1)
    labels = (chosen % blocks * BLOCK)[..., None] + torch.arange(BLOCK)
    labels = labels.flatten(1)
    if rest:
        last = torch.arange(size - rest, size).repeat(width)
        labels = torch.cat([labels, last.expand(rows, -1)], dim=1)
        whose = torch.arange(width).repeat_interleave(rest)
        origins = torch.cat([origins, whose.expand(rows, -1)], dim=1)
    sums = added.gather(1, origins) + values.view(rows, -1).gather(1, origins * size + labels).double()
    best, places = sums.topk(count, dim=1)
    return best, origins.gather(1, places), labels.gather(1, places)
