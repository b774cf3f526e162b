"""Functions of arrays that several heads need."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.runtime.manifest import ARRAYS

Float = TypeVar("Float", np.float32, np.float64)


def log_softmax(values: NDArray[Float]) -> NDArray[Float]:
    """Log-probabilities over the last axis; minus infinity stays so."""
    shifted = values - values.max(axis=-1, keepdims=True)
    found: NDArray[Float] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """What `seqpipe.core.head.Head.export_arrays` gave, out of a head's folder."""
    with np.load(folder / ARRAYS, allow_pickle=False) as file:
        return dict(file)
