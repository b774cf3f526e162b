"""What happens to the gradient between the backward pass and the optimizer, and how a step is undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from seqpipe.core.stage import Stage

UNIT = 256.0
"""Losses are summed, and divided by this alone before the backward pass, so that fp16 doesn't overflow; being a power
of two it changes no bit. The count of labels, over all accumulated batches and all processes, divides the gradient."""


def drop(parameters: Iterable[nn.Parameter]) -> None:
    """Forget the gradients: an optimizer passes over parameters without one, its own counts included."""
    for parameter in parameters:
        parameter.grad = None


def scale(parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Multiply all gradients."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if gradients:
        torch._foreach_mul_(gradients, factor)


def add_penalties(parameters: Iterable[nn.Parameter], l1: float, l2: float) -> None:
    """Add the gradient of ``l1 * sum |w| + l2 / 2 * sum w²`` over matrices; biases and scales are left free."""
    for parameter in parameters:
        if parameter.grad is None or parameter.dim() < 2:
            continue
        if l1:
            parameter.grad.add_(parameter.detach().sign(), alpha=l1)
        if l2:
            parameter.grad.add_(parameter.detach(), alpha=l2)


def clip(parameters: Iterable[nn.Parameter], largest: float | None) -> Tensor:
    """Scale the gradients so that their common norm is at most ``largest``; returns the norm before."""
    norm: Tensor = nn.utils.clip_grad_norm_(list(parameters), float("inf") if largest is None else largest)
    return norm


def kept_statistics(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's buffers, for `restore`; but for those of constant parts (word vectors), which are large."""
    return {name: value.clone() for name, value in _statistics(module)}


def restore(module: nn.Module, statistics: dict[str, Tensor]) -> None:
    """Let a module's buffers be as they were."""
    with torch.no_grad():
        for name, value in _statistics(module):
            value.copy_(statistics[name])


def _statistics(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, part in module.named_modules():
        if not (isinstance(part, Stage) and part.constant):
            for own, value in part.named_buffers(recurse=False):
                yield f"{name}.{own}", value
