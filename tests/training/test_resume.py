import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from seqpipe.config.recipe import load_recipe
from seqpipe.errors import ConfigError, RunError
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]
SameWeights = Callable[[Path, Path], bool]

# Everything that draws: speed and gain in the loader, masks and dropout in the model.
RANDOM = [
    "data.train=few.tsv",
    "training.epochs=4",
    "training.evaluate_every=2",
    "training.batch_steps=200",  # five batches an epoch or so
    "training.checkpoint_minutes=0",
    "training.learning_rate=0.01",
    "pipeline.features.1={stage: SpeedPerturbation, factors: [0.95, 1.0, 1.05]}",
    "pipeline.encoder.layers=2",
    "pipeline.encoder.dropout=0.2",
    "pipeline.head.dropout=0.1",
]


class Killed(BaseException):
    """Ends a training as a kill would: nobody tidies up."""


class Trace(lightning.Callback):
    """Notes the rows of every batch, and ends training in the middle of one if it is told to."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.batches: dict[tuple[int, int], list[str]] = {}

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, index: int) -> None:
        if len(self.batches) == self.last:
            raise Killed
        self.batches[trainer.current_epoch, index] = [module.rows[row].id for row in batch.rows]


@pytest.fixture(scope="module")
def left_alone(train_tones: TrainTones, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Trace]:
    """A run that nothing has stopped."""
    run, trace = tmp_path_factory.mktemp("alone") / "run", Trace()
    return run, train_tones(run, *RANDOM, callbacks=[trace]), trace


def train_losses(run: Path) -> list[str]:
    """Of every epoch, as logged."""
    with (run / "log" / "metrics.csv").open(newline="") as file:
        return [record["train_loss"] for record in csv.DictReader(file) if record["train_loss"]]


def logged_steps(run: Path) -> list[str]:
    with (run / "log" / "metrics.csv").open(newline="") as file:
        return [record["step"] for record in csv.DictReader(file) if record["loss"]]


def test_a_training_killed_at_any_step_sees_the_same_rows_and_ends_with_the_same_bits(
    left_alone: tuple[Path, dict[str, Any], Trace],
    train_tones: TrainTones,
    same_weights: SameWeights,
    tmp_path: Path,
) -> None:
    alone, expected, whole = left_alone
    first_epoch = [index for epoch, index in whole.batches if epoch == 0]
    assert len(first_epoch) >= 3
    keys = list(whole.batches)
    for last in (1, 2, len(first_epoch), len(first_epoch) + 1, len(keys) - 1):
        run, before, after = tmp_path / str(last), Trace(last), Trace()
        with pytest.raises(Killed):
            train_tones(run, *RANDOM, callbacks=[before])
        metrics = train_tones(run, *RANDOM, resume=True, callbacks=[after])
        assert list(before.batches) == keys[:last]
        assert list(after.batches) == keys[last:]  # a checkpoint after every step: nothing twice
        assert before.batches | after.batches == whole.batches
        assert same_weights(run, alone)
        for name in ("dev", "epochs", "steps", "rows", "data"):
            assert metrics[name] == expected[name]
        assert train_losses(run) == train_losses(alone)
        assert logged_steps(run) == logged_steps(alone)


CRAFT = {
    "accumulation": ["training.accumulate=2"],
    "moving average": ["training.average=ema", "training.ema_decay=0.9", "training.keep=best"],
    "mean of the last": ["training.average=last", "training.average_epochs=3"],
    "plateau": ["training.schedule=plateau", "training.patience=0", "training.learning_rate=0.1"],
    "sgd, frozen, penalties": [
        "training.schedule=cyclic",
        "training.optimizer=sgd",
        "training.freeze=[frontend]",
        "training.unfreeze_at=2",
        "training.l1=0.001",
        "training.l2=0.01",
    ],
    "a worker": ["training.workers=1"],
    "no dry run": ["training.dry_run=false"],
}


@pytest.mark.parametrize("craft", CRAFT)
def test_whatever_the_recipe_says_a_resumed_run_is_the_same(
    craft: str, train_tones: TrainTones, same_weights: SameWeights, tmp_path: Path
) -> None:
    overrides = [*RANDOM, "training.epochs=3", "training.evaluate_every=1", *CRAFT[craft]]
    whole = Trace()
    expected = train_tones(tmp_path / "whole", *overrides, callbacks=[whole])
    for last in (2, len(whole.batches) - 2):  # in the first epoch and in the last
        before, after = Trace(last), Trace()
        with pytest.raises(Killed):
            train_tones(tmp_path / str(last), *overrides, callbacks=[before])
        metrics = train_tones(tmp_path / str(last), *overrides, resume=True, callbacks=[after])
        assert before.batches | after.batches == whole.batches
        assert same_weights(tmp_path / "whole", tmp_path / str(last))
        assert metrics["dev"] == expected["dev"]


def start(tone_data: Path, run: Path, environment: dict[str, str], *overrides: str) -> "subprocess.Popen[str]":
    program = [str(Path(sys.executable).with_name("seqpipe")), "train", str(tone_data / "tones.yaml"), "--out"]
    return subprocess.Popen([*program, str(run), *overrides], stderr=subprocess.PIPE, text=True, env=environment)


def read_until(process: "subprocess.Popen[str]", start: str) -> str:
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith(start):
            return said
    raise AssertionError(f"never said {start}: {said}")


LONG = ["training.epochs=12", "training.evaluate_every=5"]  # so that the signal doesn't come too late


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_that_is_resumed_ends_with_the_same_bits(
    sent: signal.Signals,
    tone_data: Path,
    command_environment: dict[str, str],
    train_tones: TrainTones,
    same_weights: SameWeights,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    alone = tmp_path_factory.getbasetemp() / "long"
    if not alone.exists():
        train_tones(alone, *RANDOM, *LONG)
    run = tmp_path / "run"
    process = start(tone_data, run, command_environment, *RANDOM, *LONG)
    said = read_until(process, "epoch 2/12")
    process.send_signal(sent)
    said += process.stderr.read()
    status = process.wait(timeout=100)
    process.stderr.close()
    if sent == signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 1
        assert f"--out {run} data.train=few.tsv" in said.partition("interrupted; go on with: seqpipe train ")[2]
        assert said.endswith(" --resume\n")
    assert not (run / "metrics.json").exists()
    metrics = train_tones(run, *RANDOM, *LONG, resume=True)
    assert same_weights(run, alone)
    assert train_losses(run) == train_losses(alone)
    assert len(train_losses(run)) == 12
    assert metrics["epochs"] == 12


def unfinished(run: Path) -> Path:
    """A run as it is between its last checkpoint and its metrics."""
    (run / "metrics.json").unlink()
    return run


@pytest.fixture
def stopped(left_alone: tuple[Path, dict[str, Any], Trace], tmp_path: Path) -> Path:
    return unfinished(Path(shutil.copytree(left_alone[0], tmp_path / "run")))


def test_patience_is_counted_on(train_tones: TrainTones, tmp_path: Path) -> None:
    # Without a gain: nothing is learnt at this rate, and no statistics of a normalisation change either.
    still = ["training.learning_rate=1e-9", "pipeline.frontend.normalization=none", "training.stop_after=3"]
    assert train_tones(tmp_path / "run", *still, "training.epochs=3")["epochs"] == 3
    options: dict[str, Any] = {"resume": True, "accept": ["training.epochs"]}
    assert train_tones(unfinished(tmp_path / "run"), *still, "training.epochs=9", **options)["epochs"] == 4


def test_a_run_stopped_before_its_metrics_only_writes_them(
    stopped: Path, left_alone: tuple[Path, dict[str, Any], Trace], train_tones: TrainTones, same_weights: SameWeights
) -> None:
    alone, expected, _ = left_alone
    metrics = train_tones(stopped, *RANDOM, resume=True)
    assert {name: metrics[name] for name in ("dev", "epochs", "steps")} == {
        name: expected[name] for name in ("dev", "epochs", "steps")
    }
    assert metrics["seconds"] > expected["seconds"] * 0.5  # of both sessions
    assert same_weights(stopped, alone)
    assert train_losses(stopped) == train_losses(alone)


def test_without_a_checkpoint_resume_starts_afresh(
    stopped: Path, left_alone: tuple[Path, dict[str, Any], Trace], train_tones: TrainTones, same_weights: SameWeights
) -> None:
    shutil.rmtree(stopped / "checkpoints")
    (stopped / ".saving-abc").mkdir()  # of a process that was killed while it saved
    train_tones(stopped, *RANDOM, resume=True)
    assert same_weights(stopped, left_alone[0])
    assert len(train_losses(stopped)) == 4
    assert not (stopped / ".saving-abc").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("training.learning_rate=0.5", r"training\.learning_rate: 0\.01 before, 0\.5 now"),
        ("pipeline.encoder.dropout=0.3", r"pipeline\.encoder\.dropout: 0\.2 before, 0\.3 now"),
        ("pipeline.encoder.hidden_size=16", r"pipeline\.encoder\.hidden_size: 24 before, 16 now"),
        ("data.dev=null", r"data\.dev: dev\.tsv before, nothing now"),
        ("pipeline.features.4.time_width=3", r"pipeline\.features\.4\.SpecAugment\.time_width: 1 before, 3 now"),
    ],
)
def test_another_recipe_can_not_go_on_and_is_told_in_what_it_differs(
    changed: str, said: str, stopped: Path, train_tones: TrainTones
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        train_tones(stopped, *RANDOM, changed, resume=True)
    assert f"--accept {changed.partition('=')[0].replace('4.', '4.SpecAugment.')}" in str(caught.value)
    assert not (stopped / "metrics.json").exists()


def test_named_keys_may_differ(stopped: Path, train_tones: TrainTones) -> None:
    changed = ["training.learning_rate=0.5", "pipeline.encoder.dropout=0.3", "training.workers=1"]
    with pytest.raises(ConfigError, match=r"--accept training\.epochs: nothing of that name differs"):
        train_tones(stopped, *RANDOM, *changed, resume=True, accept=["training.epochs"])
    with pytest.raises(ConfigError, match=r"  pipeline\.encoder\.dropout: 0\.2 before, 0\.3 now\nTake"):
        train_tones(stopped, *RANDOM, *changed, resume=True, accept=["training"])
    metrics = train_tones(stopped, *RANDOM, *changed, resume=True, accept=["training", "pipeline.encoder"])
    assert metrics["epochs"] == 4
    assert metrics["changed"] == [
        "pipeline.encoder.dropout: 0.2 before, 0.3 now",
        "training.learning_rate: 0.01 before, 0.5 now",
    ]
    deeper = [*changed, "pipeline.encoder.layers=3"]
    with pytest.raises(RunError, match=r"lacks the weights encoder\.forward_layers\.2"):
        train_tones(unfinished(stopped), *RANDOM, *deeper, resume=True, accept=["pipeline", "training"])


def test_other_rows_can_not_go_on(stopped: Path, tone_data: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tone_data, tmp_path / "moved"))
    moved = [f"data.root={folder}"]
    options: dict[str, Any] = {"resume": True, "accept": ["data.root"]}
    assert train_tones(stopped, *RANDOM, *moved, **options)["epochs"] == 4  # the same rows, elsewhere
    lines = (folder / "few.tsv").read_text().splitlines(keepends=True)
    (folder / "few.tsv").write_text("".join(lines[:-1]))
    with pytest.raises(ConfigError, match=r"data: the training rows are not those of before"):
        train_tones(unfinished(stopped), *RANDOM, *moved, resume=True)
    assert train_tones(stopped, *RANDOM, *moved, resume=True, accept=["data"])["rows"]["train"] == 23


def test_the_recipe_in_a_run_directory_repeats_the_run(
    left_alone: tuple[Path, dict[str, Any], Trace], same_weights: SameWeights, tmp_path: Path
) -> None:
    alone, expected, whole = left_alone
    again = Trace()
    recipe = load_recipe(alone / "recipe.yaml")
    metrics = train(recipe, tmp_path / "run", quiet=True, notice=lambda _: None, callbacks=[again])
    assert again.batches == whole.batches
    assert same_weights(tmp_path / "run", alone)
    for name in ("dev", "epochs", "steps", "rows", "data", "seed", "commit"):
        assert metrics[name] == expected[name]


class Hostile:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_a_damaged_or_hostile_checkpoint_is_told_and_runs_nothing(
    stopped: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    checkpoint = stopped / "checkpoints" / "last.ckpt"
    whole = checkpoint.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"no checkpoint"):
        checkpoint.write_bytes(content)
        with pytest.raises(RunError, match=r"last\.ckpt: can't be resumed from .*; delete it to start this run afresh"):
            train_tones(stopped, *RANDOM, resume=True)
    torch.save({"epoch": 1, "state_dict": Hostile(tmp_path / "was_run")}, checkpoint)
    with pytest.raises(RunError, match=r"holds more than plain values and tensors"):
        train_tones(stopped, *RANDOM, resume=True)
    assert not (tmp_path / "was_run").exists()
