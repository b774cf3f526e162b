"""The half of training that looks at dev."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqpipe.checks.labels import fits
from seqpipe.core.head import Autoregressive, Encoded
from seqpipe.core.metric import score
from seqpipe.data.loader import Batch
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError
from seqpipe.metrics.teacher_forcing import TeacherForcedScores
from seqpipe.pipeline import Pipeline


class ScoredModule(lightning.LightningModule):
    """A pipeline whose predictions of dev are scored, by all processes together.

    Args:
        pipeline: fitted.
        dev_rows: rows that are scored.

    Attributes:
        scores: of the last time.
    """

    def __init__(self, pipeline: Pipeline, dev_rows: Sequence[Row]) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.dev_rows = dev_rows
        self.scores: dict[str, float] = {}
        self._predictions: list[tuple[int, Any]] = []
        self._dev_loss = [0.0, 0.0]
        self._fit = [0.0, 0.0, 0.0]

    def on_validation_epoch_start(self) -> None:
        """Forget the last scores."""
        self._predictions, self._dev_loss, self._fit = [], [0.0, 0.0], [0.0, 0.0, 0.0]

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Loss and predictions of a batch of dev."""
        for position, error in batch.failures:
            raise DataError(f"{self.dev_rows[position].where}: {error}")
        if batch.inputs is None:
            return
        pipeline = self.pipeline
        encoded = pipeline(batch.inputs).of_rows([self.dev_rows[position].columns for position in batch.rows])
        # What has no target, or one that doesn't fit, is scored without a loss.
        found, _ = self._loss(encoded, batch.targets)
        if found is not None:
            self._dev_loss[0] += float(found[0])
            self._dev_loss[1] += float(found[1])
        known = [place for place, target in enumerate(batch.targets) if target is not None]
        if known and isinstance(pipeline.head, Autoregressive):
            targets = [target for target in batch.targets if target is not None]
            fit = pipeline.head.teacher_forced_scores(encoded.chosen(known), targets)
            self._fit = [before + more for before, more in zip(self._fit, fit.tolist(), strict=True)]
        options = pipeline.head.decoding.model_validate(pipeline.recipe.decoding)
        for position, hypothesis in zip(batch.rows, pipeline.head.decode(encoded, options), strict=True):
            row = self.dev_rows[position]
            answer = pipeline.head.answer(row.id, hypothesis, pipeline.location(row.input, None))
            self._predictions.append((position, answer))

    def on_validation_epoch_end(self) -> None:
        """Scores of dev."""
        if self.trainer.world_size > 1:
            self._gather()
        if not self._predictions:
            return
        rows = [self.dev_rows[position] for position, _ in self._predictions]
        answers = [answer for _, answer in self._predictions]
        metric = self.pipeline.head.metric
        self.scores = score(metric, [row.target for row in rows], answers, [row.input for row in rows])
        if self._dev_loss[1]:
            self.scores["loss"] = self._dev_loss[0] / self._dev_loss[1]
        if self._fit[2]:
            self.scores.update(TeacherForcedScores(*self._fit).scores)
        for name, value in self.scores.items():
            self.log(f"dev_{name}", value, prog_bar=name == metric.main)
        for scheduler in self.trainer.lr_scheduler_configs:
            # Here, not where Lightning does it: that is after the checkpoint is written.
            if isinstance(scheduler.scheduler, ReduceLROnPlateau) and self.trainer.state.fn == "fit":
                scheduler.scheduler.step(self.scores[metric.main])

    def _gather(self) -> None:
        """Predictions and losses of all processes, in the order of the rows."""
        parts: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(parts, (self._predictions, self._dev_loss, self._fit))
        self._predictions = sorted((item for found, *_ in parts for item in found), key=lambda item: int(item[0]))
        self._dev_loss = [sum(loss[part] for _, loss, _ in parts) for part in (0, 1)]
        self._fit = [sum(fit[part] for *_, fit in parts) for part in (0, 1, 2)]

    def _loss(
        self, encoded: Encoded, targets: Sequence[Tensor | None]
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
                fits(steps, head.min_steps(target))
                good.append(index)
            except InputError as error:
                too_short.append((index, error))
        if not good:
            return None, too_short
        if len(good) < len(targets):
            encoded = encoded.chosen(good)
        kept = [target for index in good if (target := targets[index]) is not None]
        return self.head_loss(encoded, kept), too_short

    def head_loss(self, encoded: Encoded, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Sum and count of the loss of rows that all have a target which fits."""
        return self.pipeline.head.loss(encoded, targets)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_index: int) -> Batch:
        """Inputs to the device; the rest stays."""
        inputs = batch.inputs.to(device) if batch.inputs is not None else None
        return replace(batch, inputs=inputs)
