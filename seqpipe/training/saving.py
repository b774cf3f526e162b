"""What a training writes into its run directory while it runs."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint

from seqpipe.errors import RunError
from seqpipe.training.module import PipelineModule
from seqpipe.training.run_directory import CHECKPOINTS, LAST


class SaveModel(lightning.Callback):
    """The run directory's model after every scoring of dev: the latest, or the best.

    Attributes:
        scores: of the model that stands in the run directory.
    """

    def __init__(self, out: Path, main_score: str, *, keep_best: bool) -> None:
        self.out, self.main_score, self.keep_best = out, main_score, keep_best
        self.scores: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Save, if dev was scored in this epoch, or training ends with it."""
        if not isinstance(module, PipelineModule) or not trainer.is_global_zero:
            return
        epoch = trainer.current_epoch + 1
        last = epoch == module.config.epochs
        if not last and epoch % module.config.evaluate_every:
            return
        score, best = (scores.get(self.main_score, math.inf) for scores in (module.scores, self.scores))
        if self.keep_best and score >= best:
            return
        self.scores = dict(module.scores)
        module.pipeline.save(self.out, {"epoch": str(epoch)})

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

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Call the receiver, if dev was scored in this epoch."""
        epoch = trainer.current_epoch + 1
        if isinstance(module, PipelineModule) and module.scores and epoch % module.config.evaluate_every == 0:
            self.receive(epoch, dict(module.scores))


class SaveCheckpoint(Checkpoint):
    """What ``--resume`` goes on from, after every epoch: written beside its place, then renamed.

    Lightning calls a `Checkpoint` after all other callbacks, so it holds their states as the epoch leaves them.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out / CHECKPOINTS

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Save the state of everything that training needs, and what it has logged."""
        self.folder.mkdir(exist_ok=True)
        draft = self.folder / ".draft.ckpt"
        for logger in trainer.loggers:
            logger.save()
        try:
            trainer.save_checkpoint(draft)
            draft.replace(self.folder / LAST)
        finally:
            draft.unlink(missing_ok=True)


def finished_epochs(path: Path) -> int:
    """How many epochs a checkpoint has behind it; runs no code that it names.

    Raises:
        RunError: it is truncated, or holds more than plain values and tensors.
    """
    try:
        return int(torch.load(path, map_location="cpu", weights_only=True)["epoch"]) + 1
    except pickle.UnpicklingError:
        reason = "it is damaged, or holds more than plain values and tensors"
    except (RuntimeError, EOFError, OSError, LookupError, TypeError) as error:
        reason = str(error).partition("\n")[0]
    raise RunError(f"{path}: can't be gone on from ({reason}); delete it to start this run afresh")
