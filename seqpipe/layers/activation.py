"""Activations by name."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

Activation = Literal["relu", "gelu", "silu", "hardtanh"]


def activate(values: Tensor, name: Activation) -> Tensor:
    """Apply the named activation, in place where that is possible.

    All of them keep 0. ``hardtanh`` is clipped ReLU, 0 to 20 (Hannun et al. 2014).
    """
    if name == "relu":
        return F.relu_(values)
    if name == "gelu":
        return F.gelu(values)
    return F.silu(values) if name == "silu" else values.clamp(0.0, 20.0)
