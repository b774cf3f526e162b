"""The output layer of a large vocabulary: with its cross entropy, and for many small calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.layers.precision import product_types

MAX_LOGITS = 2**22
"""That exist at a time: 16 MB of them. With 1,900 rows and 8,001 classes in bf16, twice as fast as all at once."""
ALIGNED = 64
"""Classes are filled up to a multiple of this; bf16 products of odd sizes take up to 1.6 times as long."""


def vocabulary_loss(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """``F.cross_entropy(F.linear(inputs, weight, bias), labels, reduction="sum")`` without keeping the logits.

    They are made some rows at a time, and the gradients with them (as in Hsu et al. 2024, "Liger Kernel"). Products are
    in autocast's type, where it is on, and all else in float32; of float64 all is.

    Args:
        inputs: ``[N, E]``.
        weight, bias: of the output layer, ``[V, E]`` and ``[V]``.
        labels: ``[N]``, each in 0 to V - 1.
        label_smoothing: share of the target that all classes have alike (Szegedy et al. 2016).

    Returns:
        The sum in nats. A second derivative is refused.
    """
    if bias is None:
        bias = inputs.new_zeros(len(weight))
    wanted = torch.is_grad_enabled() and any(part.requires_grad for part in (inputs, weight, bias))
    loss: Tensor = _VocabularyLoss.apply(inputs, weight, bias, labels, label_smoothing, wanted)
    return loss


def aligned_output(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """``F.linear`` for many calls with the same weights, which are made ready once; logits in float32 (or float64).

    Args:
        weight, bias: of the output layer, ``[V, E]`` and ``[V]``.
    """
    products, exact = product_types(weight)
    classes = len(weight)
    more = -classes % ALIGNED if products != exact else 0  # what is cut off again costs a copy
    ready = F.pad(weight.to(products), (0, 0, 0, more))
    biases = F.pad(bias.to(products), (0, more)) if bias is not None else None

    def logits(inputs: Tensor) -> Tensor:
        return F.linear(inputs, ready, biases)[..., :classes].to(exact)

    return logits


class _VocabularyLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, label_smoothing: float, wanted: bool
    ) -> Tensor:
        device = inputs.device.type
        products, exact = product_types(inputs)
        classes, more = len(weight), -len(weight) % ALIGNED
        with torch.autocast(device, enabled=False):
            aligned = F.pad(weight.to(products), (0, 0, 0, more))
            biases = F.pad(bias.to(exact), (0, more), value=float("-inf"))
            total = torch.zeros((), dtype=exact, device=inputs.device)
            by_input = torch.empty(inputs.shape, dtype=exact, device=inputs.device)
            by_weight = torch.zeros(aligned.shape, dtype=exact, device=inputs.device)
            by_bias = torch.zeros_like(biases)
            step = max(ALIGNED, MAX_LOGITS // (classes + more))
            for begin in range(0, len(inputs), step):
                rows, own = inputs[begin : begin + step].to(products), labels[begin : begin + step, None]
                logits = F.linear(rows, aligned).to(exact).add_(biases)
                total -= (1 - label_smoothing) * logits.gather(1, own).sum()
                if label_smoothing:
                    total -= label_smoothing * logits[:, :classes].mean(dim=1).sum()
                top = logits.amax(dim=1, keepdim=True)
                sums = logits.sub_(top).exp_().sum(dim=1, keepdim=True)
                total += (sums.log() + top).sum()
                if not wanted:
                    continue
                slopes = logits.div_(sums)
                if label_smoothing:
                    slopes[:, :classes] -= label_smoothing / classes
                slopes.scatter_add_(1, own, torch.full_like(own, label_smoothing - 1, dtype=exact))
                by_bias += slopes.sum(dim=0)
                narrow = slopes.to(products)
                by_input[begin : begin + step] = narrow @ aligned
                by_weight += narrow.T @ rows
        if wanted:
            ctx.save_for_backward(
                by_input.to(inputs.dtype), by_weight[:classes].to(weight.dtype), by_bias[:classes].to(bias.dtype)
            )
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # as it is with create_graph=True
            raise RuntimeError("the loss over a vocabulary has no second derivative: create_graph=True can't be met")
        by_input, by_weight, by_bias = ctx.saved_tensors
        return gradient * by_input, gradient * by_weight, gradient * by_bias, None, None, None
