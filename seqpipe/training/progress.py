"""Progress of a training: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from seqpipe.core.metric import headline_scores


def progress_callbacks(quiet: bool) -> list[Callback]:
    """A bar where standard error is a terminal, and a line an epoch everywhere."""
    if quiet:
        return []
    bar: list[Callback] = [RichProgressBar(console_kwargs={"stderr": True})] if sys.stderr.isatty() else []
    return [*bar, EpochLines()]


class EpochLines(Callback):
    """A line on standard error after every epoch: loss, the headline scores of dev, learning rate, speed."""

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        """Write the line."""
        if not trainer.is_global_zero:
            return
        loss = module.epoch_loss / max(1.0, module.epoch_labels)
        scored = (trainer.current_epoch + 1) % module.config.evaluate_every == 0
        headline = headline_scores(module.scores, module.pipeline.head.metric.main) if scored else {}
        scores = " ".join(f"dev_{name} {value:.2f}" for name, value in headline.items())
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        print(
            f"epoch {trainer.current_epoch + 1}/{module.config.epochs} loss {loss:.3f} {scores} "
            f"rate {rate:.1e} {module.epoch_input / max(module.epoch_seconds, 1e-9):.0f} input "
            f"{module.pipeline.features.measure.name}s/s",
            file=sys.stderr,
            flush=True,
        )
