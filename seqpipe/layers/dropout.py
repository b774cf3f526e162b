"""Dropout of several kinds, whose draws don't hold up a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

DropoutKind = Literal["elements", "variational", "steps"]
"""What is dropped together: ``elements`` nothing, each value by itself (Srivastava et al. 2014); ``variational`` a
feature of a row at all of its steps (Gal & Ghahramani 2016); ``steps`` all features of a step, as of a token."""

_scale = 1.0


@contextmanager
def scaled_dropout(factor: float) -> Iterator[None]:
    """Multiply the probability of every `dropout` inside the block, in all threads.

    Args:
        factor: 0 (none is dropped) to 1.
    """
    global _scale
    before, _scale = _scale, factor
    try:
        yield
    finally:
        _scale = before


def dropout(values: Tensor, probability: float, training: bool, kind: DropoutKind = "elements") -> Tensor:
    """Set values to zero with a probability while training, and scale the others up.

    On a CPU torch draws a 64-bit number for every value, one after the other; here one serves four values, so that the
    probability is rounded to a multiple of 1/65536. Draws come from torch's generator.

    Args:
        values: ``[B, T, D]``; any shape for ``elements``.
        probability: 0 to below 1; `scaled_dropout` lowers it.
        training: otherwise nothing changes.
        kind: see `DropoutKind`.
    """
    probability *= _scale
    hidden = round(probability * 65536)  # of the 65536 values that 16 bits have
    if not training or not hidden:
        return values
    shape = values.shape
    if kind == "variational":
        shape = torch.Size([shape[0], 1, *shape[2:]])
    elif kind == "steps":
        shape = torch.Size([*shape[:2], *([1] * (len(shape) - 2))])
    if values.device.type != "cpu":
        kept = torch.rand(shape, device=values.device) >= probability
        return values * kept.to(values.dtype) / (1 - probability)
    numbers = torch.empty((shape.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    noise = numbers.view(torch.int16)[: shape.numel()].view(shape).float()
    return values * noise.ge_(hidden - 32768).mul_(65536 / (65536 - hidden)).to(values.dtype)
