"""In which types a stage computes."""

from __future__ import annotations

import torch
from torch import Tensor


def product_types(values: Tensor) -> tuple[torch.dtype, torch.dtype]:
    """The type of products with these values, autocast's where that is on, and the type of sums."""
    if values.dtype == torch.float64:  # which autocast leaves alone
        return torch.float64, torch.float64
    device = values.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else values.dtype, torch.float32
