"""Losses of decisions between classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    emissions: Tensor, labels: Tensor, weights: Tensor, label_smoothing: float, focal: float
) -> tuple[Tensor, Tensor]:
    """Weighted sum of cross entropies, and the sum of weights.

    Args:
        emissions: log-probabilities ``[N, K]``.
        labels: ``[N]``.
        weights: of the classes, ``[K]``.
        label_smoothing: share of the target that all classes have alike.
        focal: exponent of (1 - probability of the target).
    """
    weights = weights.to(emissions)
    own, each = emissions.gather(1, labels[:, None])[:, 0], weights[labels]  # [N]
    # As torch has it: what is smoothed away goes to each class by that class's own weight.
    losses = -(1 - label_smoothing) * own * each - label_smoothing * (emissions * weights).mean(dim=1)
    if focal:
        losses = losses * (1 - own.exp()).clamp(min=1e-6) ** focal
    return losses.sum(), each.sum()


def binary_cross_entropy(
    logits: Tensor, wanted: Tensor, weights: Tensor, label_smoothing: float, focal: float
) -> Tensor:
    """Cross entropy of each decision, in nats, ``[N, K]``.

    Args:
        logits: ``[N, K]``.
        wanted: 1 or 0, ``[N, K]``.
        weights: of the labels where they are wanted, ``[K]``.
        label_smoothing: share of the target that "yes" and "no" have alike.
        focal: exponent of (1 - probability of the target).
    """
    smooth = wanted * (1 - label_smoothing) + label_smoothing / 2
    losses = F.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    if focal:
        miss = torch.where(wanted > 0.5, -logits, logits).sigmoid()  # without the rounding of 1 - p
        losses = losses * miss.clamp(min=1e-6) ** focal
    return losses * torch.where(wanted > 0.5, weights.to(losses), torch.ones_like(losses))
