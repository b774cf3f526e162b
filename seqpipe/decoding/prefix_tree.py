"""Prefixes as numbers: who each grew out of, and by which label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def grown_hash(own: Numbers, label: Numbers) -> Numbers:
    """Of prefixes with a label more, 64 bits that tell them from any other (by chance two agree once in 1e19)."""
    mixed = (own ^ (own >> 29)) * 6364136223846793005 + (label + 1) * 1442695040888963407
    found: Numbers = (mixed ^ (mixed >> 32)) * 7046029254386353131
    return found


class PrefixTree:
    """The prefixes of some rows, which grow by labels.

    Args:
        rows: how many; each begins with a prefix without labels.

    Attributes:
        roots: the numbers of these, ``[rows]``.
    """

    def __init__(self, rows: int) -> None:
        self.roots = np.arange(rows)
        self._parents = [np.full(rows, -1)]
        self._labels = [np.zeros(rows, np.int64)]
        self._count = rows

    def grow(self, parents: Numbers, labels: Numbers) -> Numbers:
        """Numbers of prefixes that are ``parents`` with a label more; all ``[N]``."""
        self._parents.append(parents)
        self._labels.append(labels)
        first, self._count = self._count, self._count + len(parents)
        return np.arange(first, self._count)

    def labels(self, nodes: Numbers) -> list[list[tuple[int, ...]]]:
        """The labels of prefixes ``[n, N]``, each above 0."""
        parents, labels = np.concatenate(self._parents), np.concatenate(self._labels)
        columns = [np.zeros_like(nodes)]
        while (is_grown := parents[nodes] >= 0).any():
            columns.append(np.where(is_grown, labels[nodes], 0))
            nodes = np.where(is_grown, parents[nodes], nodes)
        paths = np.stack(columns[::-1], axis=2)  # [n, N, L], the shorter ones behind 0
        return [[tuple(path[path > 0].tolist()) for path in row] for row in paths]
