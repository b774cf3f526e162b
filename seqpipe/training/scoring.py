"""The half of training that looks at dev."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqpipe.checks.comparison import fits
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.loader import Batch
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError
from seqpipe.metrics.teacher_forcing import TargetFit
from seqpipe.pipeline import Location, Pipeline


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
        encoded = pipeline(batch.inputs)
        # What has no target, or one that doesn't fit, is scored without a loss.
        found, _ = self._loss(encoded, batch.targets)
        if found is not None:
            self._dev_loss[0] += float(found[0])
            self._dev_loss[1] += float(found[1])
        known = [place for place, target in enumerate(batch.targets) if target is not None]
        if known and pipeline.head.foretells:
            fit = pipeline.head.target_fit(encoded.chosen(known), [batch.targets[place] for place in known])
            self._fit = [before + more for before, more in zip(self._fit, fit.tolist(), strict=True)]
        options = pipeline.head.decoding.model_validate(pipeline.recipe.decoding)
        prepared = batch.inputs.rows()
        for position, hypothesis in zip(batch.rows, pipeline.search(encoded, prepared, options), strict=True):
            row = self.dev_rows[position]
            found = pipeline.head.predict(row.id, hypothesis, Location(pipeline, row.input, None))
            self._predictions.append((position, found))

    def on_validation_epoch_end(self) -> None:
        """Scores of dev."""
        if self.trainer.world_size > 1:
            self._gather()
        if not self._predictions:
            return
        references = [self.dev_rows[position].target for position, _ in self._predictions]
        self.scores = self.pipeline.head.score(references, [prediction for _, prediction in self._predictions])
        if self._dev_loss[1]:
            self.scores["loss"] = self._dev_loss[0] / self._dev_loss[1]
        if self._fit[2]:
            self.scores.update(TargetFit(*self._fit).scores)
        for name, value in self.scores.items():
            self.log(f"dev_{name}", value, prog_bar=name == self.pipeline.head.main_score)
        for scheduler in self.trainer.lr_scheduler_configs:
            # Here, not where Lightning does it: that is after the checkpoint is written.
            if isinstance(scheduler.scheduler, ReduceLROnPlateau) and self.trainer.state.fn == "fit":
                scheduler.scheduler.step(self.scores[self.pipeline.head.main_score])

    def _gather(self) -> None:
        """Predictions and losses of all processes, in the order of the rows."""
        parts: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(parts, (self._predictions, self._dev_loss, self._fit))
        self._predictions = sorted((item for found, *_ in parts for item in found), key=lambda item: int(item[0]))
        self._dev_loss = [sum(loss[part] for _, loss, _ in parts) for part in (0, 1)]
        self._fit = [sum(fit[part] for *_, fit in parts) for part in (0, 1, 2)]

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
            encoded = encoded.chosen(good)
            head.watch_only(good)
        return head.loss(encoded, [targets[index] for index in good]), too_short

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_index: int) -> Batch:
        """Inputs to the device; the rest stays."""
        inputs = batch.inputs.to(device) if batch.inputs is not None else None
        return Batch(inputs, batch.targets, batch.rows, batch.failures)
