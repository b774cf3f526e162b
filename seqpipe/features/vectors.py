"""Pre-trained word vectors out of the files that GloVe, fastText and word2vec write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor


@dataclass(frozen=True)
class Coverage:
    """How much of a vocabulary a file of vectors knows.

    Attributes:
        path: of the file.
        known: words of the vocabulary that have a vector.
        total: words of the vocabulary.
    """

    path: str
    known: int
    total: int

    def __str__(self) -> str:
        return f"{self.path}: vectors for {self.known} of {self.total} words of the vocabulary"


def read_vectors(path: Path, numbers: Mapping[str, int], table: Tensor) -> Coverage:
    """Put the vectors of known words into a table."""
    raise NotImplementedError
