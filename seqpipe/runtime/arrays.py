"""Functions of arrays that several heads need."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)


def log_softmax(values: NDArray[Float]) -> NDArray[Float]:
    """Log-probabilities over the last axis; minus infinity stays so."""
    shifted = values - values.max(axis=-1, keepdims=True)
    found: NDArray[Float] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found
