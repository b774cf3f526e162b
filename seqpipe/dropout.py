"""Dropout whose draws don't hold up a CPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def dropout(values: Tensor, probability: float, training: bool) -> Tensor:
    """Set values to zero with a probability while training, and scale the others up (Srivastava et al. 2014).

    On a CPU torch draws a 64-bit number for every value, one after the other; here one serves four values, so that the
    probability is rounded to a multiple of 1/65536. Draws come from torch's generator.

    Args:
        values: any shape.
        probability: 0 to below 1.
        training: otherwise nothing changes.
    """
    hidden = round(probability * 65536)  # of the 65536 values that 16 bits have
    if not training or not hidden:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, probability, training)
    numbers = torch.empty((values.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    noise = numbers.view(torch.int16)[: values.numel()].view(values.shape).float()
    return values * noise.ge_(hidden - 32768).mul_(65536 / (65536 - hidden)).to(values.dtype)
