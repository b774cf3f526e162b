"""Dropout that grows or ends while training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest

TrainTones = Callable[..., dict[str, Any]]
SameWeights = Callable[[Path, Path], bool]

DROPPED = ["pipeline.encoder.dropout=0.4", "pipeline.head.dropout=0.4", "pipeline.frontend.dropout=0.2"]
KEPT = [entry.partition("=")[0] + "=0" for entry in DROPPED]


class Factors(lightning.Callback):
    """Notes the factor of every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(self, trainer: Any, module: Any, *_: Any) -> None:
        self.seen.append(module.dropout_factor)


def test_a_factor_of_0_is_no_dropout_at_all(train_tones: TrainTones, same_weights: SameWeights, tmp_path: Path) -> None:
    train_tones(tmp_path / "off", *DROPPED, "training.dropout_start=0", "training.dropout_end=0", "training.epochs=1")
    train_tones(tmp_path / "none", *KEPT, "training.epochs=1")
    train_tones(tmp_path / "on", *DROPPED, "training.epochs=1")
    assert same_weights(tmp_path / "off", tmp_path / "none")
    assert not same_weights(tmp_path / "on", tmp_path / "none")


def test_the_factor_moves_along_a_line_and_stays_at_its_end(train_tones: TrainTones, tmp_path: Path) -> None:
    factors = Factors()
    ramp = ["training.dropout_start=0", "training.dropout_end=0.8", "training.dropout_ramp=0.5"]
    train_tones(tmp_path / "run", *DROPPED, *ramp, "training.epochs=2", "training.batch_rows=8", callbacks=[factors])
    steps = len(factors.seen)
    done = [(index + 1) / steps for index in range(steps)]  # a step is counted as it begins
    assert factors.seen == pytest.approx([0.8 * min(1.0, share / 0.5) for share in done])


def test_a_training_that_was_stopped_goes_on_at_the_same_factor(
    train_tones: TrainTones, train_stopped: TrainTones, same_weights: SameWeights, tmp_path: Path
) -> None:
    ramp = [*DROPPED, "training.dropout_start=0", "training.dropout_ramp=1", "training.epochs=2"]
    train_tones(tmp_path / "whole", *ramp, "training.evaluate_every=1")
    train_stopped(tmp_path / "stopped", *ramp, "training.evaluate_every=1")
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")
