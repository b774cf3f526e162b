"""The likeliest of many labels."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64
"""Values whose greatest is looked at first."""
WIDE = 1024
"""From so many values on, looking twice is faster: 8 instead of 18 ms for the 10 greatest of 8,001, in 640 rows."""


def largest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """``values.topk(count, dim=1)``, in less time where rows are wide: values and their places, greatest first.

    The greatest values of a row lie in those blocks whose own greatest ones are the greatest, so only these are
    searched. Which of equal values are found may differ from torch's choice.

    Args:
        values: ``[N, V]``.
        count: at most V.
    """
    rows, size = values.shape
    blocks, rest = divmod(size, BLOCK)
    if size < WIDE or count >= blocks or values.device.type != "cpu":
        found = values.topk(count, dim=1)
        return found.values, found.indices
    tops = values[:, : size - rest].unflatten(1, (blocks, BLOCK)).amax(dim=2)
    chosen = tops.topk(count, dim=1).indices
    places = (chosen[..., None] * BLOCK + torch.arange(BLOCK)).flatten(1)
    if rest:
        places = torch.cat([places, torch.arange(size - rest, size).expand(rows, -1)], dim=1)
    best, among = values.gather(1, places).topk(count, dim=1)
    return best, places.gather(1, among)
