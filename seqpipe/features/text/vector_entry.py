"""An entry of a file of word vectors, and what its values must be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import DataError

LONGEST_WORD = 2**16
"""Bytes; what goes on for longer without a space is no word."""


class Entry(NamedTuple):
    """A word of a file, its vector not parsed yet.

    Attributes:
        place: number of its line, or (binary) which vector of the file it is, from 1 on.
        word: its bytes.
        raw: those of its vector.
    """

    place: int
    word: bytes
    raw: bytes


class VectorFile(Protocol):
    """What messages name.

    Attributes:
        path: of the file.
        place: what the number of an entry counts: a line, a vector.
    """

    path: Path
    place: str


def finite_values(source: VectorFile, entry: Entry, values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Values in 32 bits; raises `DataError` if one is no finite number there."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        wrong = values[~np.isfinite(single)][0]
        raise vector_error(source, entry.place, f"the value {wrong} is no finite number (in 32 bits)")
    return single


def vector_error(source: VectorFile, place: int, message: str) -> DataError:
    """An error that names file and line, or which vector it is."""
    return DataError(f"{source.path}, {source.place} {place}: {message}")
