"""Prefixes as numbers: who each grew out of, and by which label."""

from __future__ import annotations

import torch
from torch import Tensor


def grown_hash(own: Tensor, label: Tensor) -> Tensor:
    """Of prefixes with a label more, 64 bits that tell them from any other (by chance two agree once in 1e19)."""
    mixed = (own ^ (own >> 29)) * 6364136223846793005 + (label + 1) * 1442695040888963407
    return (mixed ^ (mixed >> 32)) * 7046029254386353131


class PrefixTree:
    """The prefixes of some rows, which grow by labels.

    Args:
        rows: how many; each begins with a prefix without labels.

    Attributes:
        roots: the numbers of these, ``[rows]``.
    """

    def __init__(self, rows: int) -> None:
        self.roots = torch.arange(rows)
        self._parents = [torch.full((rows,), -1)]
        self._labels = [torch.zeros(rows, dtype=torch.int64)]
        self._count = rows

    def grow(self, parents: Tensor, labels: Tensor, is_new: Tensor) -> Tensor:
        """Numbers of prefixes that are ``parents``, or where ``is_new`` these with a label more; all ``[n, W]``."""
        numbers = is_new.flatten().cumsum(0).view(is_new.shape) + (self._count - 1)
        self._parents.append(parents[is_new])
        self._labels.append(labels[is_new])
        self._count += len(self._parents[-1])
        return torch.where(is_new, numbers, parents)

    def labels(self, nodes: Tensor) -> list[list[list[int]]]:
        """The labels of prefixes ``[n, N]``."""
        parents, labels = torch.cat(self._parents).tolist(), torch.cat(self._labels).tolist()
        found = []
        for row in nodes.tolist():
            paths = []
            for node in row:
                path = []
                while parents[node] >= 0:
                    path.append(labels[node])
                    node = parents[node]
                paths.append(path[::-1])
            found.append(paths)
        return found
