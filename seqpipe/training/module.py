"""A pipeline as a LightningModule: steps, scores, and randomness from counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqpipe.data.check import fits
from seqpipe.data.loader import Batch
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError, SeqpipeError
from seqpipe.pipeline import Pipeline
from seqpipe.randomness import seed_from
from seqpipe.recipe import TrainingConfig
from seqpipe.sequence import PaddedSequence
from seqpipe.training.optimization import make_optimizer, make_schedule

LOG_EVERY = 10
"""Steps from one line of the log to the next."""


class PipelineModule(lightning.LightningModule):
    """What Lightning trains.

    Args:
        pipeline: fitted.
        config: the recipe's training section.
        rows: training rows, for messages.
        dev_rows: rows that are scored.
        spare_rows: how many training rows may still fail to be read.
        notice: receives what the user should know.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        config: TrainingConfig,
        rows: Sequence[Row],
        dev_rows: Sequence[Row],
        spare_rows: int,
        notice: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.config = config
        self.rows, self.dev_rows = rows, dev_rows
        self.spare_rows = spare_rows
        self.notice = notice
        self.failed: set[int] = set()
        self.scores: dict[str, float] = {}
        self.epoch_seconds = self.epoch_input = self.epoch_loss = self.epoch_labels = 0.0
        self._predictions: list[tuple[int, Any]] = []
        self._dev_loss = [0.0, 0.0]
        self._started = 0.0

    def on_train_epoch_start(self) -> None:
        """Start the epoch's sums."""
        self.epoch_input = self.epoch_loss = self.epoch_labels = 0.0
        self._started = time.perf_counter()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor | None:
        """Loss of a batch, per label."""
        self._leave_out(batch.failures)
        if batch.inputs is None:
            return None
        torch.manual_seed(seed_from(self.config.seed, self.current_epoch, batch_index, self.global_rank))
        encoded = self.pipeline(batch.inputs)
        found, too_short = self._loss(encoded, batch.targets)
        self._leave_out([(batch.rows[index], error) for index, error in too_short])
        if found is None:
            return None
        total, count = found
        loss = total / count
        if not torch.isfinite(loss):
            names = ", ".join(self.rows[position].where for position in batch.rows[:5])
            raise SeqpipeError(
                f"epoch {self.current_epoch}, batch {batch_index}: the loss is {loss.item()}; rows {names}"
                f"{' and others' if len(batch.rows) > 5 else ''}. Lower training.learning_rate or training.clip_norm"
            )
        self.epoch_input += self.pipeline.features.amount(batch.inputs.lengths)
        self.epoch_loss += float(total.detach())
        self.epoch_labels += float(count)
        # Lightning takes about as long to note three numbers as a small model takes for its optimizer's step.
        if (self.trainer.global_step + 1) % LOG_EVERY == 0:
            elapsed = time.perf_counter() - self._started
            self.log("loss", loss.detach(), prog_bar=True, batch_size=len(batch.rows))
            self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"], batch_size=len(batch.rows))
            self.log("input_s/s", self.epoch_input / elapsed, prog_bar=True, batch_size=len(batch.rows))
        return loss

    def _leave_out(self, failures: Sequence[tuple[int, InputError]]) -> None:
        """Name rows that can't be used, each once, and end training where they are too many."""
        for position, error in failures:
            if position not in self.failed:
                self.failed.add(position)
                self.notice(f"left out: {self.rows[position].where}: {error}")
            if len(self.failed) > self.spare_rows:
                raise DataError(f"{self.rows[position].where}: {error} (data.max_bad_share allows no further bad row)")

    def _loss(
        self, encoded: PaddedSequence, targets: Sequence[Tensor | None]
    ) -> tuple[tuple[Tensor, Tensor] | None, list[tuple[int, InputError]]]:
        """Sum and count of the loss over a batch, or None, and the positions of labels that don't fit, left out of it.

        The rows were looked at before training; but a stage such as `TrimSilence` shortens by what it hears.
        """
        head = self.pipeline.head
        good: list[int] = []
        too_short: list[tuple[int, InputError]] = []
        for index, (steps, target) in enumerate(zip(encoded.lengths.tolist(), targets, strict=True)):
            if target is None:
                continue
            try:
                fits(steps, head.steps_needed(target))
                good.append(index)
            except InputError as error:
                too_short.append((index, error))
        if not good:
            return None, too_short
        if len(good) < len(targets):
            encoded = PaddedSequence(encoded.values[good], encoded.lengths[good])
        return head.loss(encoded, [targets[index] for index in good]), too_short

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss per label."""
        # To the loggers at once: what `self.log` is told here reaches them after the checkpoint is written.
        record = {"train_loss": self.epoch_loss / max(1.0, self.epoch_labels), "epoch": self.current_epoch}
        for logger in self.loggers:
            logger.log_metrics(record, step=self.global_step - 1)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        """Note how long the epoch has taken so far, scoring of dev not counted."""
        self.epoch_seconds = time.perf_counter() - self._started

    def on_validation_epoch_start(self) -> None:
        """Forget the last scores."""
        self._predictions, self._dev_loss = [], [0.0, 0.0]

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Loss and predictions of a batch of dev."""
        for position, error in batch.failures:
            raise DataError(f"{self.dev_rows[position].where}: {error}")
        if batch.inputs is None:
            return
        pipeline = self.pipeline
        encoded = pipeline(batch.inputs)
        # What has no target, or one that doesn't fit, is scored without a loss.
        found, _ = self._loss(encoded, batch.targets)
        if found is not None:
            self._dev_loss[0] += float(found[0])
            self._dev_loss[1] += float(found[1])
        options = pipeline.head.decoding.model_validate(pipeline.recipe.decoding)
        for position, hypothesis in zip(batch.rows, pipeline.head.decode(encoded, options), strict=True):
            row = self.dev_rows[position]
            self._predictions.append((position, pipeline.head.predict(row.id, hypothesis, lambda steps: steps)))

    def on_validation_epoch_end(self) -> None:
        """Scores of dev."""
        if not self._predictions:
            return
        references = [self.dev_rows[position].target for position, _ in self._predictions]
        self.scores = self.pipeline.head.score(references, [prediction for _, prediction in self._predictions])
        if self._dev_loss[1]:
            self.scores["loss"] = self._dev_loss[0] / self._dev_loss[1]
        for name, value in self.scores.items():
            self.log(f"dev_{name}", value, prog_bar=name == self.pipeline.head.main_score)
        for scheduler in self.trainer.lr_scheduler_configs:
            # Here, not where Lightning does it: that is after the checkpoint is written.
            if isinstance(scheduler.scheduler, ReduceLROnPlateau) and self.trainer.state.fn == "fit":
                scheduler.scheduler.step(self.scores[self.pipeline.head.main_score])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep which rows have failed."""
        checkpoint["failed_rows"] = sorted(self.failed)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Rows that have failed before count on."""
        self.failed = set(checkpoint["failed_rows"])

    @property
    def progress(self) -> float:
        """The share of all training steps that is done, 0 to 1."""
        batches = max(1, int(self.trainer.num_training_batches))
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        return min(1.0, (self.current_epoch + min(done, batches) / batches) / self.config.epochs)

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule of the recipe."""
        optimizer = make_optimizer(self.parameters(), self.config)
        schedule = make_schedule(optimizer, self.config, lambda: self._progress_or_start())
        if schedule is None:
            return optimizer
        settings: dict[str, Any] = {"scheduler": schedule, "interval": "step"}
        if self.config.schedule == "plateau":
            settings |= {
                "interval": "epoch",
                "frequency": self.config.evaluate_every,
                "monitor": f"dev_{self.pipeline.head.main_score}",
            }
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """One step of the schedule, but for plateau, which looks at dev as soon as it is scored."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def _progress_or_start(self) -> float:
        # The schedule asks once while it is made, before Lightning knows how many batches there are.
        return self.progress if self.trainer.num_training_batches != float("inf") else 0.0

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_index: int) -> Batch:
        """Inputs to the device; the rest stays."""
        inputs = batch.inputs.to(device) if batch.inputs is not None else None
        return Batch(inputs, batch.targets, batch.rows, batch.failures)
