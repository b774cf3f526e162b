"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from seqpipe.config.recipe import TrainingConfig


def make_optimizer(parameters: Iterable[nn.Parameter], config: TrainingConfig) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019), SGD with Nesterov momentum, or Adadelta (Zeiler 2012).

    Weight decay applies to matrices alone: biases and the scales of normalisation are left free.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [parameter for parameter in trained if parameter.dim() <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        # The fused kernel takes over the unscaling of fp16's gradients, and they are wanted unscaled before.
        fused = config.precision != "fp16"
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=fused)
    if config.optimizer == "adadelta":
        return torch.optim.Adadelta(groups, lr=config.learning_rate)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0)


def make_schedule(
    optimizer: Optimizer, config: TrainingConfig, progress: Callable[[], float], *, lower_is_better: bool = True
) -> LRScheduler | ReduceLROnPlateau | None:
    """The schedule of a recipe.

    Args:
        optimizer: whose rates it sets.
        config: names it.
        progress: the share of the training that is done, 0 to 1. Asked, not counted: epochs may differ in their number
            of batches when augmentation changes lengths.
        lower_is_better: of the score that plateau looks at.
    """
    if config.schedule == "plateau":
        mode: Literal["min", "max"] = "min" if lower_is_better else "max"
        return ReduceLROnPlateau(optimizer, mode, factor=config.factor, patience=config.patience)
    if config.schedule == "constant":
        return None
    return LambdaLR(optimizer, lambda _: rate_share(config, progress()))


def rate_share(config: TrainingConfig, progress: float) -> float:
    """Share of ``learning_rate`` at a share of the training, by any schedule that is a function of it."""
    if config.schedule == "one_cycle":
        return one_cycle(progress, config.warmup, config.final_division)
    if config.schedule == "cosine":
        return cosine(progress, config.warmup)
    if config.schedule == "cyclic":
        return triangular(progress, config.cycles)
    if config.schedule == "step":
        return float(config.factor ** sum(progress >= milestone for milestone in config.milestones))
    if config.schedule == "exponential":
        return float(config.factor ** (progress * config.epochs))
    return 1.0


def cosine(progress: float, warmup: float) -> float:
    """A straight line from 0 up to 1, then half a cosine down to 0 (Loshchilov & Hutter 2017)."""
    if progress < warmup:
        return progress / warmup
    return (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1.0 - warmup)))) / 2


def triangular(progress: float, cycles: int, first_division: float = 25.0) -> float:
    """Straight lines up to 1 and down again, ``cycles`` times (Smith 2017)."""
    height = 1.0 - abs(2.0 * ((progress * cycles) % 1.0) - 1.0)
    return (1.0 + (first_division - 1.0) * height) / first_division


def one_cycle(progress: float, warmup: float, final_division: float, first_division: float = 25.0) -> float:
    """Share of the peak rate: a cosine up, then a cosine down (Smith & Topin 2019).

    Args:
        progress: share of the training that is done, 0 to 1.
        warmup: share of the training until the peak.
        final_division: the first rate over the last one.
        first_division: the peak over the first rate.
    """
    first = 1.0 / first_division
    if progress < warmup:
        return 1.0 + (first - 1.0) * (1 + math.cos(math.pi * progress / warmup)) / 2
    last = first / final_division
    done = min(1.0, (progress - warmup) / (1.0 - warmup))
    return last + (1.0 - last) * (1 + math.cos(math.pi * done)) / 2
