"""Results that don't depend on where a number stands in a tensor, and on what stands beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LANES = 64
"""A multiple of what a CPU's vector instructions take at a time."""
SLICE = 16_384
"""Numbers that torch hands to one thread: from 32,768 on it divides them."""


def steady(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """``function``, which works element by element, by vector instructions alone.

    What is left over behind the last full vector torch computes by the C library, whose exp and log may differ in the
    last bit: a row's numbers would depend on how many rows there are.

    Args:
        function: such as `torch.exp`.
        values: of any shape.
    """
    if values.device.type != "cpu" or not values.numel():
        return function(values)
    flat = values.reshape(-1)
    whole = -(-len(flat) // LANES) * LANES
    if whole > len(flat):
        flat = torch.cat([flat, flat.new_ones(whole - len(flat))])
    found = function(flat) if whole <= SLICE else torch.cat([function(part) for part in flat.split(SLICE)])
    return found[: values.numel()].view(values.shape)


def power_of_two(exponents: Tensor) -> Tensor:
    """2 to the power of whole numbers in -1,022 to 1,023, exactly, in float64. (torch's own is in float32.)"""
    return ((exponents.long() + 1023) << 52).view(torch.float64)


TIE_BITS = 22
"""Of a float64's 52 bits behind the point, those that tell which of equals comes first; the rest are exact to 1e-9."""
TIES = (1 << TIE_BITS) - 1


def ordered(values: Tensor) -> Tensor:
    """Whole numbers ``[N, M]`` that order float64 ``[N, M]``, and differ: of equal ones the first is greatest.

    The bits of floats that are not negative are ordered as these are; the last bits give way to the places. Of 0, 0.

    Args:
        values: at least 0; what differs by less than 1e-9 of itself counts as equal. M is below 2 to the power of 22.
    """
    places = torch.arange(values.shape[1], device=values.device)
    return ((values.view(torch.int64) & ~TIES) | (TIES - places)).masked_fill_(values <= 0, 0)


def place_of(numbers: Tensor) -> Tensor:
    """Where in its row stands what `ordered` gave a number."""
    return TIES - (numbers & TIES)


def value_of(numbers: Tensor) -> Tensor:
    """What `ordered` gave a number, to 1e-9 of itself."""
    return (numbers & ~TIES).view(torch.float64)


def largest_first(values: Tensor, count: int) -> Tensor:
    """Places ``[N, count]`` of the largest of values ``[N, M]``, at least 0; of equal ones the first comes first."""
    return place_of(ordered(values.contiguous()).topk(count, dim=1).values)
