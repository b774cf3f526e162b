"""Adversarial training: features perturbed in the direction that is worst for the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence


def perturbed(features: PaddedSequence, loss: Tensor, strength: float) -> PaddedSequence:
    """Features, perturbed along the gradient of the loss (Goodfellow et al. 2015; on text, Miyato et al. 2017).

    Args:
        features: ``[B, T, D]``, with a graph that leads to the loss.
        loss: summed over the rows.
        strength: norm of a row's perturbation, as a share of the norm of its features.

    Returns:
        Features whose gradient is that of the unperturbed ones: the perturbation is a constant.
    """
    (gradient,) = torch.autograd.grad(loss, features.values, retain_graph=True)
    with torch.no_grad():
        values = features.masked().values.float()
        gradient = PaddedSequence(gradient, features.lengths).masked().values.float()
        size = values.flatten(1).norm(dim=1)  # [B]
        steepness = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
        shift = gradient * (strength * size / steepness).view(-1, 1, 1)
    return PaddedSequence(features.values + shift.to(features.values.dtype), features.lengths)
