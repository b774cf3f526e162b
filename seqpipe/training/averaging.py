"""Averages of the weights over the training: what is scored and saved in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_swa_multi_avg_fn

from seqpipe.config.recipe import TrainingConfig


class WeightAverage(lightning.Callback):
    """Keep an average of parameters and statistics beside the model, by torch's `AveragedModel`.

    ``training.average: ema`` is the exponential moving average over steps (Polyak & Juditsky 1992), whose decay grows
    from 0 to ``ema_decay`` so that the first weights don't linger; ``last`` is the plain mean of the weights at the end
    of each of the last ``average_epochs`` epochs (Izmailov et al. 2018). Scores of dev and the saved model are the
    average's, from when there is one; the checkpoint holds both.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self._average: Any = None  # until `on_fit_start`
        self._restored: dict[str, Tensor] | None = None

    def on_fit_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Make the average, or restore it from the checkpoint."""
        update = _update(self.config.ema_decay if self.config.average == "ema" else None)
        self._average = AveragedModel(module.pipeline, multi_avg_fn=update, use_buffers=True)
        if self._restored is not None:
            self._average.load_state_dict(self._restored)
            self._restored = None

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Take in a step's weights (ema)."""
        if self.config.average == "ema" and module.stepped:
            self._average.update_parameters(module.pipeline)

    def on_validation_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Take in an epoch's weights (last), and put the average in the model's place."""
        if self.config.average == "last" and trainer.state.fn == "fit":
            self._take_in_epoch(trainer, module)
        self._swap(module)

    def on_validation_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Put the weights back."""
        self._swap(module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Take in an epoch's weights (last), if dev was not scored in it."""
        if self.config.average == "last":
            self._take_in_epoch(trainer, module)

    def _take_in_epoch(self, trainer: lightning.Trainer, module: Any) -> None:
        begin = self.config.epochs - self.config.average_epochs
        if int(self._average.n_averaged) == trainer.current_epoch - begin >= 0:
            self._average.update_parameters(module.pipeline)

    @contextmanager
    def in_place(self, module: Any) -> Iterator[None]:
        """While this lasts, the model holds the average."""
        self._swap(module)
        try:
            yield
        finally:
            self._swap(module)

    def _swap(self, module: Any) -> None:
        if not int(self._average.n_averaged):
            return
        own, average = module.pipeline.state_dict(), self._average.module.state_dict()
        with torch.no_grad():
            for name, value in own.items():
                kept = value.clone()
                value.copy_(average[name])
                average[name].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {} if self._average is None else {"average": self._average.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self._restored = state_dict.get("average")


def _update(decay: float | None) -> Callable[[Any, Any, Any], None]:
    """Takes weights into an average, that with a decay or the plain mean; whole numbers (counters) are copied."""
    mean = get_swa_multi_avg_fn()

    @torch.no_grad()
    def update(average: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        if not average[0].is_floating_point():
            torch._foreach_copy_(average, current)
        elif decay is None:
            mean(average, current, count)
        else:
            number = int(count)
            torch._foreach_lerp_(average, current, 1.0 - min(decay, (1 + number) / (10 + number)))

    return update
