"""Random numbers of data that this machine makes for itself: the same on every machine, from release to release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Draws:
    """Random numbers that depend on a key and on how many were drawn before.

    They come from raw Philox output: numpy keeps that, and not the methods of its ``Generator``, the same from release
    to release (NEP 19).

    Args:
        version: of what is made; data of their own kind have numbers of their own.
        stream: which of the made things.
    """

    def __init__(self, version: int, stream: int) -> None:
        self._bits = np.random.Philox(key=np.array([version, stream], dtype=np.uint64))

    def uniform(self, low: float, high: float) -> float:
        """A number from ``low`` to below ``high``."""
        return low + (high - low) * float(self.uniforms(1)[0])

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int((high - low + 1) * self.uniform(0, 1))

    def choice(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self.integer(0, len(options) - 1)]

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """``[count]`` numbers from 0 to below 1."""
        # The upper 53 bits of each word: what a float64 holds.
        return np.asarray(self._bits.random_raw(count) >> np.uint64(11), dtype=np.float64) * 2.0**-53
