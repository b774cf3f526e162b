"""The ink around points of strokes, whenever it was written: a small coarse picture for each point."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

ROWS = 24
"""Of the grid, half of them above y = 0. Ink beyond stands in the outermost ones."""
MAX_COLUMNS = 16_384
"""Of the grid: a line of text has some hundred. Ink beyond stands in the last one."""


def ink_around(
    points: Tensor, mask: Tensor, *, cell: float, step: float, across: list[float], upward: list[float]
) -> Tensor:
    """How much ink lies at offsets from each point: ``[B, N, len(across) · len(upward)]``, 0 (none) to 1.

    The points of a row are drawn into a grid, each shared out among the four cells nearest to it, and the grid is read
    at places between cells in the same way (bilinearly). What a cell holds is tanh(n · step / cell), n being its
    points: nearly the length of line in it, in cells, where that is small. One row's grid is drawn once, so that the
    cost grows with N only.

    Args:
        points: x and y, ``[B, N, 2]``; finite, also in the padding.
        mask: ``[B, N]`` bool, true at real points.
        cell: side of a cell, in the unit of the points.
        step: from point to point, in that unit.
        across, upward: offsets in x and in y, in that unit; every pair of them is a place, ``upward`` changing faster.
    """
    x, y = points.unbind(dim=-1)
    left = x.masked_fill(~mask, math.inf).amin(dim=1, keepdim=True).nan_to_num(posinf=0.0)
    column = ((x - left) / cell).clamp(0, MAX_COLUMNS).masked_fill(~mask, 0.0)
    row = (y / cell + ROWS / 2).clamp(0, ROWS - 1.001)
    columns = int(column.max()) + 2
    # Empty cells around it, so that no place is outside.
    beside, above = margins(cell, across), margins(cell, upward)
    width, height = columns + 2 * beside, ROWS + 2 * above
    column, row = column + beside, row + above

    grid = points.new_zeros(len(points), height * width)
    for right in (0, 1):
        for up in (0, 1):
            at = ((row.floor() + up) * width + column.floor() + right).long()
            share = (1 - (column - column.floor() - right).abs()) * (1 - (row - row.floor() - up).abs())
            grid.scatter_add_(1, at, share * mask)
    grid = torch.tanh(grid * (step / cell)).view(len(points), 1, height, width)

    # Places from -1 to 1 of a grid that is as wide as the batch's widest row: in single precision these would differ
    # with the batch, by up to 1e-5 in what is read.
    at_column = (column[..., None] + points.new_tensor(across) / cell).double() * (2 / (width - 1)) - 1
    at_row = (row[..., None] + points.new_tensor(upward) / cell).double() * (2 / (height - 1)) - 1
    places = torch.stack(torch.broadcast_tensors(at_column[..., :, None], at_row[..., None, :]), dim=-1)
    read = F.grid_sample(grid.double(), places.flatten(2, 3), align_corners=True)  # [B, 1, N, across * upward]
    return read[:, 0].to(points)


def margins(cell: float, offsets: Sequence[float]) -> int:
    """Empty cells on each side of a grid, so that no place at these offsets from one in it is outside."""
    return math.ceil(max(map(abs, offsets)) / cell) + 1
