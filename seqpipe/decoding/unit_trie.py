"""Words as paths of labels, in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_TABLE = 1 << 24
"""Entries of a table of all nodes and labels; beyond that, edges are searched for (17 comparisons of 100,000)."""


class UnitTrie:
    """A prefix tree of spellings. Node 0 is its root.

    Args:
        spellings: of words, each a sequence of labels that is not empty.
        words: the number of the word that each spells, at least 0. Of two words that are spelt alike, the first counts.
        size: V, labels are below it.

    Attributes:
        size: V.
        word: of each node, the number of the word that ends there; -1 where none does. ``[nodes]``.
    """

    def __init__(self, spellings: Sequence[Sequence[int]], words: Sequence[int], size: int) -> None:
        edges: dict[int, int] = {}
        ends: dict[int, int] = {}
        for spelling, word in zip(spellings, words, strict=True):
            node = 0
            for label in spelling:
                node = edges.setdefault(node * size + label, len(edges) + 1)
            ends.setdefault(node, word)
        self.size = size
        self.word = np.full(len(edges) + 1, -1)
        self.word[list(ends.keys())] = list(ends.values())
        keys, children = np.array(list(edges.keys()), np.int64), np.array(list(edges.values()), np.int64)
        self._table: NDArray[np.int64] | None = None
        if len(self.word) * size <= MAX_TABLE:
            self._table = np.full(len(self.word) * size, -1)
            self._table[keys] = children
        order = np.argsort(keys)
        self._keys, self._children = keys[order], children[order]

    @property
    def is_table(self) -> bool:
        """Whether steps are looked up in a table of all nodes and labels."""
        return self._table is not None

    def step(self, nodes: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The nodes behind these, by a label each; -1 where there is none, and behind -1."""
        keys = nodes * self.size + labels
        if self._table is not None:
            found = self._table[np.maximum(keys, 0)]
        else:
            places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            found = np.where(self._keys[places] == keys, self._children[places], -1)
        return np.where(nodes < 0, -1, found)
