"""The learning-rate range test (Smith 2017): a short training whose rate rises from step to step."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np

from seqpipe.config.recipe import Recipe
from seqpipe.errors import ConfigError, DataError
from seqpipe.training.module import PipelineModule
from seqpipe.training.preparing import Notice, prepare_training
from seqpipe.training.train import say

SMOOTHING = 0.9
BEGIN = 10
"""Steps that are not looked at: the smoothing has to settle, and any rate takes the first loss down."""
DIVERGED = 4.0
"""Losses are smoothed by this; the test ends where that is this many times its least value."""


@dataclass(frozen=True)
class RateTest:
    """What a range test has found.

    Attributes:
        rates: of each step, rising geometrically.
        losses: per label, smoothed.
    """

    rates: Sequence[float]
    losses: Sequence[float]

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest over the logarithm of the rate: a good peak to begin with."""
        falls = np.gradient(np.asarray(self.losses), np.log(self.rates))
        return float(self.rates[BEGIN + int(np.argmin(falls[BEGIN:]))])

    @property
    def at_edge(self) -> bool:
        """Whether the steepest fall is at one of the ends of the test, where it means little."""
        return self.steepest <= self.rates[BEGIN] or self.steepest == self.rates[-1]

    @property
    def least(self) -> float:
        """The rate at which the loss is least: an upper bound."""
        return float(self.rates[int(np.argmin(self.losses))])

    def draw(self, path: Path) -> None:
        """Loss over rate, as a picture."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axis = pyplot.subplots(figsize=(7, 4), layout="constrained")
        axis.plot(self.rates, self.losses)
        for rate, name in ((self.steepest, "steepest"), (self.least, "least")):
            axis.axvline(rate, linestyle="--", color="gray")
            axis.annotate(f"{name} {rate:.1e}", (rate, axis.get_ylim()[1]), rotation=90, va="top", ha="right")
        axis.set(xscale="log", xlabel="learning rate", ylabel="loss per label (nats), smoothed")
        axis.grid(alpha=0.3)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


class _Sweep(lightning.Callback):
    def __init__(self, rates: Sequence[float]) -> None:
        self.rates = rates
        self.losses: list[float] = []
        self._mean = 0.0

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, index: int) -> None:
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self.rates[min(len(self.losses), len(self.rates) - 1)]

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        if not module.stepped:
            return
        loss = module.step_loss
        if not math.isfinite(loss):
            trainer.should_stop = True
            return
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.losses.append(self._mean / (1 - SMOOTHING ** (len(self.losses) + 1)))
        if len(self.losses) == len(self.rates) or self.losses[-1] > DIVERGED * min(self.losses):
            trainer.should_stop = True


def find_rate(
    recipe: Recipe, *, steps: int = 100, lowest: float = 1e-5, highest: float = 1.0, notice: Notice = say
) -> RateTest:
    """Train a new model for some steps while the rate rises geometrically; nothing of it is kept.

    Args:
        recipe: from `load_recipe`; its own rate and schedule aren't used.
        steps: of the optimizer, at most: the test ends early when the loss shoots up.
        lowest: first rate.
        highest: last rate.
        notice: receives what the user should know.

    Raises:
        ConfigError: fewer than 30 steps, or rates that don't rise.
        DataError: rows can't be used, or the loss is not finite from the beginning.
    """
    if steps < 3 * BEGIN:
        raise ConfigError(f"steps should be at least {3 * BEGIN}; received {steps}")
    if not 0 < lowest < highest:
        raise ConfigError(f"rates should rise from above 0; received lowest {lowest:g}, highest {highest:g}")
    recipe = recipe.model_copy(deep=True)
    config = recipe.training
    config.schedule, config.epochs = "constant", 1_000_000
    config.freeze, config.unfreeze_at = [], None
    prepared = prepare_training(recipe, None, notice)
    module = PipelineModule(prepared.pipeline, config, prepared.training.rows, [], len(prepared.training.rows), notice)
    sweep = _Sweep(np.geomspace(lowest, highest, steps).tolist())
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer = lightning.Trainer(
            accelerator="auto" if config.device == "auto" else "gpu" if config.device == "cuda" else "cpu",
            devices=1,
            max_epochs=config.epochs,
            accumulate_grad_batches=config.accumulate,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[sweep],
        )
        trainer.fit(module, prepared.loader(config, lambda: trainer.current_epoch))
    if len(sweep.losses) <= BEGIN + 1:
        raise DataError(f"the loss shot up within {len(sweep.losses)} steps; begin with a lower rate than {lowest:g}")
    return RateTest(sweep.rates[: len(sweep.losses)], sweep.losses)
