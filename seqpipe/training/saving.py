"""What a training writes into its run directory while it runs."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint

from seqpipe.core.files import move, sync
from seqpipe.core.interruption import Interruption
from seqpipe.core.metric import Metric
from seqpipe.errors import RunError
from seqpipe.run_directory import CHECKPOINTS, LAST
from seqpipe.training.averaging import WeightAverage


class SaveModel(lightning.Callback):
    """The run directory's model after every scoring of dev: the latest, or the best.

    Args:
        out: run directory.
        metric: whose main score "best" is judged by.
        keep_best: save where dev got better alone.
        average: saved in place of the weights themselves.

    Attributes:
        scores: of the model that stands in the run directory.
    """

    def __init__(self, out: Path, metric: Metric, *, keep_best: bool, average: WeightAverage | None = None) -> None:
        self.out, self.keep_best, self.average = out, keep_best, average
        self.main_score = metric.main
        self.sign = 1.0 if metric.kinds[metric.main].lower_is_better else -1.0
        self.scores: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Save, if dev was scored in this epoch, or training ends with it."""
        epoch = trainer.current_epoch + 1
        last = epoch == module.config.epochs
        if not last and epoch % module.config.evaluate_every:
            return
        if self.keep_best and self._badness(module.scores) >= self._badness(self.scores):
            return
        self.scores = dict(module.scores)
        if trainer.is_global_zero:
            with self.average.in_place(module) if self.average else nullcontext():
                module.pipeline.save(self.out, {"epoch": str(epoch)})

    def _badness(self, scores: dict[str, float]) -> float:
        return self.sign * scores[self.main_score] if self.main_score in scores else math.inf

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.scores = state_dict["scores"]


class ReportScores(lightning.Callback):
    """Hand the scores of dev on to somebody who follows the training (a search, say)."""

    def __init__(self, receive: Callable[[int, dict[str, float]], None]) -> None:
        self.receive = receive

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Call the receiver, if dev was scored in this epoch."""
        epoch = trainer.current_epoch + 1
        if module.scores and epoch % module.config.evaluate_every == 0:
            self.receive(epoch, dict(module.scores))


class SaveCheckpoint(Checkpoint):
    """What ``--resume`` goes on from: after every epoch, inside epochs as time passes, and when training is stopped.

    Lightning calls a `Checkpoint` after all other callbacks, so it holds their states as they leave them. It is
    written beside its place, then renamed: whatever happens meanwhile, there is a whole one. Inside an epoch it is
    written only where a step has ended, since gradients that wait for further batches are in no checkpoint.

    Args:
        out: run directory.
        minutes: from one checkpoint to the next, inside epochs; 0 writes one after every step.
        interruption: training ends, with a checkpoint, when a signal was received.
        facts: of the run, for who goes on from it.
        seconds_before: that earlier sessions took.
    """

    def __init__(
        self,
        out: Path,
        minutes: float,
        interruption: Interruption,
        facts: dict[str, Any] | None = None,
        seconds_before: float = 0.0,
    ) -> None:
        self.folder = out / CHECKPOINTS
        self.minutes = minutes
        self.interruption = interruption
        self.facts = facts or {}
        self.began = time.perf_counter() - seconds_before
        self._saved = time.perf_counter()

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """From here on a signal waits for the end of a step, where Lightning's own handler would raise within it."""
        self.interruption.begin_steps()

    def requests(self) -> tuple[bool, bool]:
        """Whether a signal was received, and whether it is time for a checkpoint; the module asks at every step."""
        return self.interruption.received, time.perf_counter() - self._saved >= 60 * self.minutes

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Save between two steps of an epoch, if it is time, or training is to stop."""
        if not module.stepped or index + 1 >= trainer.num_training_batches:
            return
        if module.stop or module.save:
            self._write(trainer)
        if module.stop:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Save; and stop, if that is wanted and there is something left to do."""
        self._write(trainer)
        last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        stop = module.stop or (trainer.world_size == 1 and self.interruption.received)
        if stop and not last:
            raise KeyboardInterrupt

    def on_save_checkpoint(self, trainer: lightning.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        """Add the facts of the run."""
        checkpoint["run"] = {**self.facts, "seconds": time.perf_counter() - self.began}

    def _write(self, trainer: lightning.Trainer) -> None:
        draft = self.folder / ".draft.ckpt"
        if trainer.is_global_zero:
            self.folder.mkdir(exist_ok=True)
        for logger in trainer.loggers:
            logger.save()
        try:
            trainer.save_checkpoint(draft)  # all processes take part, the first writes
            if trainer.is_global_zero:
                sync(draft)
                move(draft, self.folder / LAST)
        finally:
            if trainer.is_global_zero:
                draft.unlink(missing_ok=True)
        self._saved = time.perf_counter()


@dataclass(frozen=True)
class SavedState:
    """What a checkpoint says about itself.

    Attributes:
        steps: that the optimizer has taken.
        seconds: that the training has taken so far.
        data: fingerprint of the training rows.
        changed: in what earlier resumed sessions differed from the start, by wish.
    """

    steps: int
    seconds: float
    data: str
    changed: list[str]


def read_checkpoint(path: Path) -> SavedState:
    """What stands in a checkpoint; runs no code that it names.

    Raises:
        RunError: it is truncated, or holds more than plain values and tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        run = content["run"]
        return SavedState(int(content["global_step"]), float(run["seconds"]), str(run["data"]), list(run["changed"]))
    except pickle.UnpicklingError:
        reason = "it is damaged, or holds more than plain values and tensors"
    except (RuntimeError, EOFError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
    raise RunError(f"{path}: can't be resumed from ({reason}); delete it to start this run afresh")
