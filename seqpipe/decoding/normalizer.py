"""What logits become log-probabilities by."""

from __future__ import annotations

import torch
from torch import Tensor

ROWS = 64
"""That are looked at together, so that they stay in a processor's cache: of 640 rows of 8,001 logits it takes 4 ms, and
their log-softmax 8."""


def log_normalizer(logits: Tensor) -> Tensor:
    """``logits.logsumexp(dim=1)``, ``[N]``; a search subtracts it from the few logits that it follows.

    Args:
        logits: ``[N, V]``, at least one of each row finite.
    """
    if logits.device.type != "cpu":
        return logits.logsumexp(dim=1)
    greatest = logits.amax(dim=1, keepdim=True)
    parts = zip(logits.split(ROWS), greatest.split(ROWS), strict=True)
    sums = [(some - most).exp_().sum(dim=1) for some, most in parts]
    return torch.cat(sums).log_().add_(greatest[:, 0])
