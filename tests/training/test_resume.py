import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.errors import ConfigError, RunError

TrainTones = Callable[..., dict[str, Any]]
SameWeights = Callable[[Path, Path], bool]

# Everything that draws: speed and gain in the loader, masks and dropout in the model.
RANDOM = [
    "data.train=few.tsv",
    "training.epochs=12",  # many: the signal, sent after the second, must not come too late
    "training.evaluate_every=5",
    "pipeline.features.1={stage: SpeedPerturbation, factors: [0.95, 1.0, 1.05]}",
    "pipeline.encoder.layers=2",
    "pipeline.encoder.dropout=0.2",
    "pipeline.head.dropout=0.1",
]


@pytest.fixture(scope="module")
def left_alone(train_tones: TrainTones, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run that nothing has stopped."""
    run = tmp_path_factory.mktemp("alone") / "run"
    return run, train_tones(run, *RANDOM)


def train_losses(run: Path) -> list[str]:
    """Of every epoch, as logged."""
    with (run / "log" / "metrics.csv").open(newline="") as file:
        return [record["train_loss"] for record in csv.DictReader(file) if record["train_loss"]]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_command_that_is_resumed_ends_with_the_same_bits(
    sent: signal.Signals,
    left_alone: tuple[Path, dict[str, Any]],
    tone_data: Path,
    command_environment: dict[str, str],
    train_tones: TrainTones,
    same_weights: SameWeights,
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    program = [
        str(Path(sys.executable).with_name("seqpipe")),
        "train",
        str(tone_data / "tones.yaml"),
        "--out",
        str(run),
    ]
    process = subprocess.Popen([*program, *RANDOM], stderr=subprocess.PIPE, text=True, env=command_environment)
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("epoch 2/12"):
            process.send_signal(sent)
            break
    said += process.stderr.read()
    status = process.wait(timeout=100)
    process.stderr.close()
    if sent == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 1
        assert f"interrupted; go on with: seqpipe train ... --out {run} --resume" in said
    assert not (run / "metrics.json").exists()

    notices: list[str] = []
    metrics = train_tones(run, *RANDOM, resume=True, notices=notices)
    alone, expected = left_alone
    assert same_weights(run, alone)
    for name in ("dev", "epochs", "steps", "rows"):
        assert metrics[name] == expected[name]
    assert train_losses(run) == train_losses(alone)
    assert len(train_losses(run)) == 12


def unfinished(run: Path) -> Path:
    """A run as it is between its last checkpoint and its metrics."""
    (run / "metrics.json").unlink()
    return run


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.schedule=constant"],
        ["training.schedule=plateau", "training.patience=0", "training.learning_rate=0.1"],
        ["training.schedule=constant", "training.optimizer=sgd", "training.learning_rate=0.05"],
    ],
    ids=lambda overrides: " ".join(overrides[:2]),
)
def test_two_epochs_and_two_more_are_four(
    overrides: list[str], train_tones: TrainTones, same_weights: SameWeights, tmp_path: Path
) -> None:
    whole = train_tones(tmp_path / "whole", "training.epochs=4", *overrides)
    train_tones(tmp_path / "parts", "training.epochs=2", *overrides)
    parts = train_tones(unfinished(tmp_path / "parts"), "training.epochs=4", *overrides, resume=True)
    assert same_weights(tmp_path / "whole", tmp_path / "parts")
    assert whole["dev"] == parts["dev"]


def test_patience_is_counted_on(train_tones: TrainTones, tmp_path: Path) -> None:
    # Without a gain: nothing is learnt at this rate, and no statistics of a normalisation change either.
    still = ["training.learning_rate=1e-9", "pipeline.frontend.normalization=none", "training.stop_after=3"]
    assert train_tones(tmp_path / "run", *still, "training.epochs=3")["epochs"] == 3
    resumed = train_tones(unfinished(tmp_path / "run"), *still, "training.epochs=9", resume=True)
    assert resumed["epochs"] == 4  # the first score, and three without a gain


def test_a_run_stopped_before_its_metrics_only_writes_them(
    left_alone: tuple[Path, dict[str, Any]], train_tones: TrainTones, same_weights: SameWeights, tmp_path: Path
) -> None:
    alone, expected = left_alone
    run = unfinished(Path(shutil.copytree(alone, tmp_path / "run")))
    metrics = train_tones(run, *RANDOM, resume=True)
    assert {name: metrics[name] for name in ("dev", "epochs", "steps")} == {
        name: expected[name] for name in ("dev", "epochs", "steps")
    }
    assert same_weights(run, alone)
    assert train_losses(run) == train_losses(alone)


def test_without_a_checkpoint_resume_starts_afresh(
    left_alone: tuple[Path, dict[str, Any]], train_tones: TrainTones, same_weights: SameWeights, tmp_path: Path
) -> None:
    run = unfinished(Path(shutil.copytree(left_alone[0], tmp_path / "run")))
    shutil.rmtree(run / "checkpoints")
    train_tones(run, *RANDOM, resume=True)
    assert same_weights(run, left_alone[0])
    assert len(train_losses(run)) == 12


def test_another_pipeline_can_not_go_on(
    left_alone: tuple[Path, dict[str, Any]], train_tones: TrainTones, tmp_path: Path
) -> None:
    run = unfinished(Path(shutil.copytree(left_alone[0], tmp_path / "run")))
    with pytest.raises(ConfigError, match=r"the recipe's pipeline is not the one that .*run was trained with"):
        train_tones(run, *RANDOM, "pipeline.encoder.hidden_size=16", resume=True)


class Hostile:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_a_damaged_or_hostile_checkpoint_is_told_and_runs_nothing(
    left_alone: tuple[Path, dict[str, Any]], train_tones: TrainTones, tmp_path: Path
) -> None:
    run = unfinished(Path(shutil.copytree(left_alone[0], tmp_path / "run")))
    checkpoint = run / "checkpoints" / "last.ckpt"
    whole = checkpoint.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"no checkpoint"):
        checkpoint.write_bytes(content)
        with pytest.raises(RunError, match=r"last\.ckpt: can't be gone on from .*; delete it to start this run afresh"):
            train_tones(run, *RANDOM, resume=True)
    torch.save({"epoch": 1, "state_dict": Hostile(tmp_path / "was_run")}, checkpoint)
    with pytest.raises(RunError, match=r"holds more than plain values and tensors"):
        train_tones(run, *RANDOM, resume=True)
    assert not (tmp_path / "was_run").exists()
