"""Floats as whole numbers in their order, which tell equal ones apart by their places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TIE_BITS = 22
"""Of a float64's 52 bits behind the point, those that tell which of equals comes first; the rest are exact to 1e-9."""
TIES = (1 << TIE_BITS) - 1


def ordered(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers ``[N, M]`` that order float64 ``[N, M]``, and differ: of equal ones the first is greatest.

    The bits of floats that are not negative are ordered as these are; the last bits give way to the places. Of 0, 0.

    Args:
        values: at least 0; what differs by less than 1e-9 of itself counts as equal. M is below 2 to the power of 22.
    """
    found = values.view(np.int64) | TIES
    found -= np.arange(values.shape[1])
    found *= values > 0
    return found


def place_of(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where in its row stands what `ordered` gave a number."""
    found: NDArray[np.int64] = TIES - (numbers & TIES)
    return found


def value_of(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """What `ordered` gave a number, to 1e-9 of itself."""
    return (numbers & ~TIES).view(np.float64)


def greatest(numbers: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The greatest of each row ``[N, M]``, greatest first, ``[N, count]``."""
    if count < numbers.shape[1]:
        numbers = np.partition(numbers, numbers.shape[1] - count, axis=1)[:, -count:]
    return np.sort(numbers, axis=1)[:, ::-1]


def power_of_two(exponents: NDArray[Any]) -> NDArray[np.float64]:
    """2 to the power of whole numbers in -1,022 to 1,023, exactly."""
    return ((exponents.astype(np.int64) + 1023) << 52).view(np.float64)
