"""Distributions at another temperature (Guo et al. 2017)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def tempered(log_probabilities: Tensor, temperature: float) -> Tensor:
    """Log-probabilities ``[..., V]``, or logits, divided by a temperature and normalised again; 1 leaves them alone.

    Minus infinity stays so. The order of a distribution's values is kept, but for ones that rounding makes equal.

    Args:
        log_probabilities: ``[..., V]``.
        temperature: above 0; above 1 is less sure.

    Example:
        >>> tempered(torch.tensor([0.9, 0.1]).log(), 2.0).exp()
        tensor([0.7500, 0.2500])
    """
    return log_probabilities if temperature == 1.0 else F.log_softmax(log_probabilities / temperature, dim=-1)
