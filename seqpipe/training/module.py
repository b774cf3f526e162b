"""A pipeline as a LightningModule: steps, scores, and randomness from counters."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqpipe.config.recipe import TrainingConfig
from seqpipe.core.head import Encoded
from seqpipe.core.randomness import seed_from
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.loader import Batch, Share
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, DataError, InputError, SeqpipeError
from seqpipe.layers.dropout import scaled_dropout
from seqpipe.layers.masked_norm import out_of_statistics
from seqpipe.layers.parallel_directions import retaining
from seqpipe.pipeline import Pipeline
from seqpipe.training.adversarial import perturbed
from seqpipe.training.carrying import CarriedStates
from seqpipe.training.consistency import disagreement, distributing, features_of_views, two_views
from seqpipe.training.distillation import Teachers, distance
from seqpipe.training.gradients import UNIT, add_penalties, clip, drop, kept_statistics, restore, scale
from seqpipe.training.mixup import Mixture, draw_mixture, mix, mixed_loss, refuse_mixup
from seqpipe.training.optimization import make_optimizer, make_schedule
from seqpipe.training.scoring import ScoredModule
from seqpipe.training.transfer import drop_frozen, freeze, freeze_for_good

LOG_EVERY = 10
"""Steps from one line of the log to the next."""


_EPOCH_SUMS = ("epoch_seconds", "epoch_input", "epoch_loss", "epoch_labels")


@dataclass
class _Group:
    """The batches of one step.

    Attributes:
        buffers: of the pipeline, as they were before the step.
        loss, labels: sums over the batches so far.
        bad: one of the losses is not finite.
    """

    buffers: dict[str, Tensor] = field(default_factory=dict)
    loss: float = 0.0
    labels: float = 0.0
    bad: bool = False


class PipelineModule(ScoredModule):
    """What Lightning trains.

    Losses are summed over the batches of a step, and the gradient is divided by the count of labels of all of them,
    over all processes: accumulation and further devices change nothing but the rounding.

    Args:
        pipeline: fitted.
        config: the recipe's training section.
        rows: training rows, for messages.
        dev_rows: rows that are scored.
        spare_rows: how many training rows may still fail to be read.
        notice: receives what the user should know.
        requests: asked at every step whether training shall stop, and whether it is time for a checkpoint; what was
            answered, agreed on by all processes, stands in ``stop`` and ``save``.

    Attributes:
        teachers: whose predictions are learnt beside the labels (``training.distill_from``).
        stepped: whether the last batch ended a step.
        stop, save: see ``requests``.
        bad_steps: steps that were skipped because the loss or the gradient was not finite.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        config: TrainingConfig,
        rows: Sequence[Row],
        dev_rows: Sequence[Row],
        spare_rows: int,
        notice: Callable[[str], None],
        requests: Callable[[], tuple[bool, bool]] = lambda: (False, False),
    ) -> None:
        super().__init__(pipeline, dev_rows)
        self.config = config
        self.rows = rows
        self.spare_rows = spare_rows
        self.notice = notice
        self.requests = requests
        for key in ("consistency", "distill_from"):
            if getattr(config, key):
                distributing(pipeline.head, key)
        if config.mixup:
            refuse_mixup(pipeline.head)
        self.teachers: Teachers | None = None
        self.carried = CarriedStates(config.streams)
        self.share = Share()
        self.failed: set[int] = set()
        self.bad_steps = 0
        self.stepped = self.stop = self.save = False
        self.epoch_seconds = self.epoch_input = self.epoch_loss = self.epoch_labels = 0.0
        self.epochs_before = 0.0  # seconds of this epoch in sessions before this one
        self.on_start: Callable[[], None] | None = None
        self._group = _Group()
        self._stand_in: PaddedSequence | None = None
        self._started = 0.0

    def on_train_start(self) -> None:
        """Freeze stages, and try what can be tried before the first step."""
        self._started = time.perf_counter()
        if self.teachers is not None:
            self.teachers.to(self.device)
        if self.on_start is not None:
            self.on_start()
        freeze(self.pipeline, self.config, self.current_epoch, self.trainer.world_size)

    def on_train_epoch_start(self) -> None:
        """Start the epoch's sums; freeze or unfreeze stages."""
        self.epoch_input = self.epoch_loss = self.epoch_labels = self.epochs_before = 0.0
        self._started = time.perf_counter()
        freeze(self.pipeline, self.config, self.current_epoch, self.trainer.world_size)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss of a batch, summed."""
        if batch_index % self.config.accumulate == 0:
            self._group = _Group(kept_statistics(self.pipeline))
        self.stepped = False
        self._leave_out(batch.failures)
        if batch.inputs is None:
            return self._stand_in_loss()
        if self._stand_in is None:
            self._stand_in = batch.inputs.first()
        torch.manual_seed(seed_from(self.config.seed, self.current_epoch, batch_index, self.global_rank))
        with scaled_dropout(self.dropout_factor):
            if batch.carried is not None:
                encoded = self.carried.encode(self.pipeline, batch.inputs, batch.carried)
                found, too_short = self._loss(encoded, batch.targets)
            else:
                found, too_short = self._whole_rows_loss(batch)
        self._leave_out([(batch.rows[index % len(batch.rows)], error) for index, error in too_short])
        if found is None:
            return self._nothing()
        total, count = found
        self._group.labels += float(count)
        if torch.isfinite(total):
            self.epoch_input += self.pipeline.features.measure.amount(batch.inputs.lengths)
            self.epoch_loss += float(total.detach())
            self.epoch_labels += float(count)
            self._group.loss += float(total.detach())
        else:
            self._group.bad = True
            self.carried.forget()
            restore(self.pipeline, self._group.buffers)  # what is not finite is in them now
            self.notice(
                f"epoch {self.current_epoch + 1}, batch {batch_index + 1}: the loss is {total.item()}; rows "
                + self._names(batch, self._guilty(batch.inputs, batch.targets))
            )
        return total / UNIT

    def _whole_rows_loss(self, batch: Batch) -> tuple[tuple[Tensor, Tensor] | None, list[tuple[int, InputError]]]:
        """Loss of rows that are whole, in the views and mixtures that the recipe asks for; see `_loss`."""
        inputs, features, targets = self._views(batch)
        mixture = self._mixture(len(batch.rows))
        if mixture is not None:
            features = mix(features, mixture)
        with retaining() if self.config.adversarial else nullcontext():
            found, too_short = mixed_loss(self._loss, self.pipeline.encode(features, inputs), targets, mixture)
        if found is not None and self.config.adversarial and features.values.requires_grad and torch.isfinite(found[0]):
            # The perturbed batch is learnt beside the one as it is, half of the loss each.
            worse = self.pipeline.encode(perturbed(features, found[0], self.config.adversarial), inputs)
            again, _ = mixed_loss(self._loss, worse, targets, mixture)
            if again is not None:
                found = ((found[0] + again[0]) / 2, found[1])
        return found, too_short

    def try_batch(self, batch: Batch) -> None:
        """Forward and backward pass of a batch, for their memory's sake."""
        if batch.inputs is None:
            return
        self._stand_in = batch.inputs.first()
        with self.trainer.precision_plugin.forward_context():
            inputs, features, targets = self._views(self.transfer_batch_to_device(batch, self.device, 0))
            found, _ = self._loss(self.pipeline.encode(features, inputs), targets)
        if found is not None:
            (found[0] / UNIT).backward()

    def _views(self, batch: Batch) -> tuple[PaddedSequence, PaddedSequence, list[Tensor | None]]:
        """What is learnt of a batch, its rows or two views of each: prepared inputs, features, targets."""
        inputs, features = cast("PaddedSequence", batch.inputs), self.pipeline.features
        if not self.config.consistency:
            return inputs, features(inputs), batch.targets
        same_steps = distributing(self.pipeline.head, "consistency").predicts_steps
        views = features_of_views(features, inputs, same_steps=same_steps)
        return two_views(inputs), views, batch.targets * 2

    def _mixture(self, rows: int) -> Mixture | None:
        """Which rows of a batch, and of its second view, are mixed."""
        config = self.config
        drawn = draw_mixture(rows, config.mixup, config.mixup_alpha) if config.mixup else None
        return drawn.of_views(rows, 2 if config.consistency else 1) if drawn is not None else None

    def head_loss(self, encoded: Encoded, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The head's loss; while training, with what two views and what teachers say of it."""
        config = self.config
        if not self.pipeline.training or not (config.consistency or config.distill_from):
            return super().head_loss(encoded, targets)
        head = distributing(self.pipeline.head, "consistency" if config.consistency else "distill_from")
        predicted = head.predict(encoded, targets)
        total, count = head.predicted_loss(predicted, encoded, targets)
        if self.teachers is not None:
            if encoded.prepared is None:
                raise ConfigError("distillation needs what the features prepared: Encoded.prepared")
            views = 2 if config.consistency else 1
            known = self.teachers.predict(encoded.prepared.chosen(range(len(targets) // views)), targets)
            share = config.distillation
            total = (1 - share) * total + share * distance(known, predicted)
        if config.consistency:
            total = total + config.consistency * disagreement(predicted)
        return total, count

    def _stand_in_loss(self) -> Tensor:
        """Loss of a process that has no usable row of this batch.

        The others may exchange statistics while they run; so this one runs too, over a row that counts nowhere.
        """
        if self.trainer.world_size == 1:
            return self._nothing()
        if self._stand_in is None:
            raise DataError("one of the processes has had no usable row yet; raise training.batch_steps")
        with out_of_statistics():
            encoded = self.pipeline(self._stand_in.to(self.device))
        return encoded.values.sum() * 0.0 + self._nothing()

    @property
    def step_loss(self) -> float:
        """Of this process's batches of the last step, per label; NaN if it was skipped."""
        group = self._group
        return math.nan if group.bad else group.loss / max(1.0, group.labels)

    def _nothing(self) -> Tensor:
        """A loss of 0 that reaches every parameter: several processes wait for each other's gradients."""
        parts = [parameter.sum() * 0.0 for parameter in self.pipeline.parameters() if parameter.requires_grad]
        return torch.stack(parts).sum()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Turn the sum of gradients into that of the mean loss, and clip it; or drop it, to skip the step."""
        self.stepped = True
        parameters = [parameter for parameter in self.parameters() if parameter.grad is not None]
        drop_frozen(self.pipeline, self.config, self.current_epoch)
        labels, bad, failed, stop, save = self.agree(
            self._group.labels, self._group.bad, len(self.failed), *self.requests()
        )
        self.stop, self.save = stop > 0, save > 0
        if failed > self.spare_rows:  # of all processes together
            raise DataError(f"{failed:.0f} rows failed while training (data.max_bad_share allows {self.spare_rows})")
        if not labels or bad:
            drop(parameters)
        else:
            scale(parameters, UNIT * self.config.accumulate * self.trainer.world_size / labels)
            add_penalties(parameters, self.config.l1, self.config.l2)
            norm = clip(parameters, self.config.clip_norm)
            # fp16's own scaler meets infinite gradients by skipping the step and scaling less.
            if self.config.precision != "fp16" and not torch.isfinite(norm):
                self.notice(f"epoch {self.current_epoch + 1}, step {self.global_step + 1}: the gradient is not finite")
                bad = 1.0
                drop(parameters)
            self._log_step(norm)
        if bad:
            self._skip_step()

    def agree(self, *values: float) -> list[float]:
        """Sums over all processes."""
        if self.trainer.world_size == 1:
            return [float(value) for value in values]
        sums = torch.tensor([float(value) for value in values], dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(sums)
        return list(sums.tolist())

    def _skip_step(self) -> None:
        """Leave no trace of a step, and end training where this has happened too often."""
        self.bad_steps += 1
        restore(self.pipeline, self._group.buffers)
        most = self.config.max_bad_steps
        if self.bad_steps > most:
            raise SeqpipeError(
                f"epoch {self.current_epoch + 1}: {self.bad_steps} steps had a loss or gradient that is not finite, "
                f"and training.max_bad_steps allows {most}. Lower training.learning_rate or training.clip_norm"
            )
        self.notice(f"this step is skipped ({self.bad_steps} of at most {most}: training.max_bad_steps)")

    def _log_step(self, norm: Tensor) -> None:
        # Lightning takes about as long to note four numbers as a small model takes for its optimizer's step.
        if (self.trainer.global_step + 1) % LOG_EVERY:
            return
        elapsed = time.perf_counter() - self._started + self.epochs_before
        self.log("loss", self.step_loss, prog_bar=True)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        self.log("grad_norm", norm)
        self.log("input_s/s", self.epoch_input / elapsed, prog_bar=True)

    def _guilty(self, inputs: PaddedSequence, targets: Sequence[Tensor | None]) -> list[int]:
        """Positions whose own loss is not finite in evaluation, where rows of a batch don't touch; else all."""
        modes = [(module, module.training) for module in self.pipeline.modules()]
        found = []
        self.pipeline.eval()
        with torch.no_grad():
            encoded = self.pipeline(inputs)
            for index, target in enumerate(targets):
                alone, _ = self._loss(encoded.chosen([index]), [target])
                if alone is not None and not torch.isfinite(alone[0]):
                    found.append(index)
        for module, training in modes:
            module.training = training
        return found or list(range(len(targets)))

    def _names(self, batch: Batch, positions: Sequence[int], most: int = 5) -> str:
        named = [" + ".join(self.rows[row].where for row in batch.rows_of(index)) for index in positions[:most]]
        names = ", ".join(named)
        return names + (f" and {len(positions) - most} more" if len(positions) > most else "")

    def _leave_out(self, failures: Sequence[tuple[int, InputError]]) -> None:
        """Name rows that can't be used, each once, and end training where they are too many."""
        for position, error in failures:
            if position not in self.failed:
                self.failed.add(position)
                self.notice(f"left out: {self.rows[position].where}: {error}")
            if len(self.failed) > self.spare_rows:
                raise DataError(f"{self.rows[position].where}: {error} (data.max_bad_share allows no further bad row)")

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss per label."""
        # To the loggers at once: what `self.log` is told here reaches them after the checkpoint is written.
        record = {"train_loss": self.epoch_loss / max(1.0, self.epoch_labels), "epoch": self.current_epoch}
        for logger in self.loggers:
            logger.log_metrics(record, step=self.global_step - 1)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_index: int) -> None:
        """Note how long the epoch has taken so far, scoring of dev not counted."""
        self.epoch_seconds = self.epochs_before + time.perf_counter() - self._started

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the epoch has come to, which rows have failed, and how many steps were skipped."""
        checkpoint["seqpipe"] = {
            "failed_rows": sorted(self.failed),
            "bad_steps": self.bad_steps,
            "carried": self.carried.states,
            **{name: getattr(self, name) for name in _EPOCH_SUMS},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting."""
        kept = checkpoint["seqpipe"]
        self.failed, self.bad_steps = set(kept["failed_rows"]), kept["bad_steps"]
        self.carried.states = list(kept.get("carried", []))  # none in checkpoints of before
        for name in _EPOCH_SUMS:
            setattr(self, name, kept[name])
        self.epochs_before = self.epoch_seconds

    @property
    def progress(self) -> float:
        """The share of all training steps that is done, 0 to 1."""
        if self.trainer.num_training_batches == float("inf"):
            return 0.0  # the schedule asks once while it is made, before Lightning knows how many there are
        batches = max(1, int(self.trainer.num_training_batches))
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        return min(1.0, (self.current_epoch + min(done, batches) / batches) / self.config.epochs)

    @property
    def dropout_factor(self) -> float:
        """What dropout is multiplied by now: from 0 on, curriculum dropout (Morerio et al. 2017), later none, early
        dropout (Liu et al. 2023)."""
        config = self.config
        done = min(1.0, self.progress / config.dropout_ramp)
        return config.dropout_start + done * (config.dropout_end - config.dropout_start)

    def setup(self, stage: str) -> None:
        """Before the optimizer is made."""
        freeze_for_good(self.pipeline, self.config)

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule of the recipe."""
        optimizer = make_optimizer(self.parameters(), self.config)
        metric = self.pipeline.head.metric
        lower = metric.kinds[metric.main].lower_is_better
        schedule = make_schedule(optimizer, self.config, lambda: self.progress, lower_is_better=lower)
        if schedule is None:
            return optimizer
        settings: dict[str, Any] = {"scheduler": schedule, "interval": "step"}
        if self.config.schedule == "plateau":
            monitored = {"frequency": self.config.evaluate_every, "monitor": f"dev_{metric.main}"}
            settings |= {"interval": "epoch", **monitored}
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """One step of the schedule, but for plateau, which looks at dev as soon as it is scored."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()
