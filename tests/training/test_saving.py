import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

import seqpipe

TrainTones = Callable[..., dict[str, Any]]


def scores(run: Path) -> dict[str, float]:
    """Of the model that lies in a run directory, on dev."""
    return seqpipe.evaluate(run, device="cpu").scores


@pytest.mark.parametrize(
    "overrides",
    [
        ["training.epochs=3", "training.evaluate_every=2"],  # training ends with an epoch that isn't scored
        ["training.epochs=3", "training.evaluate_every=2", "training.keep=best"],
        ["training.epochs=2", "training.evaluate_every=5"],
    ],
    ids=" ".join,
)
def test_the_scores_of_a_run_are_those_of_its_model(
    overrides: list[str], train_tones: TrainTones, tmp_path: Path
) -> None:
    metrics = train_tones(tmp_path / "run", *overrides)
    found = scores(tmp_path / "run")
    assert {name: metrics["dev"][name] for name in found} == pytest.approx(found)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_keep_says_which_epoch_stays(keep: str, train_tones: TrainTones, tmp_path: Path) -> None:
    rough = ["training.epochs=6", "training.schedule=constant", "training.learning_rate=0.1", "training.clip_norm=null"]
    metrics = train_tones(tmp_path / "run", *rough, f"training.keep={keep}")
    with (tmp_path / "run" / "log" / "metrics.csv").open(newline="") as file:
        seen = [float(record["dev_wer"]) for record in csv.DictReader(file) if record["dev_wer"]]
    with safe_open(tmp_path / "run" / "model.safetensors", framework="pt") as file:
        epoch = int(file.metadata()["epoch"])
    assert len(seen) == 6
    assert epoch == (1 + seen.index(min(seen)) if keep == "best" else 6)
    assert metrics["dev"]["wer"] == pytest.approx(seen[epoch - 1])
    assert scores(tmp_path / "run")["wer"] == pytest.approx(seen[epoch - 1])


@pytest.mark.parametrize(("every", "stop_after", "epochs"), [(1, 2, 3), (2, 1, 4)])
def test_training_stops_when_there_is_no_gain(
    every: int, stop_after: int, epochs: int, train_tones: TrainTones, tmp_path: Path
) -> None:
    still = ["training.epochs=20", "training.learning_rate=1e-9", "pipeline.frontend.normalization=none"]
    often = [f"training.evaluate_every={every}", f"training.stop_after={stop_after}"]
    metrics = train_tones(tmp_path / "run", *still, *often)
    assert metrics["epochs"] == epochs
    assert scores(tmp_path / "run")["wer"] == metrics["dev"]["wer"]


def test_a_run_without_dev_ends_with_its_last_weights(train_tones: TrainTones, tmp_path: Path) -> None:
    metrics = train_tones(tmp_path / "run", "data.dev=null", "training.keep=best")
    assert metrics["dev"] == {}
    assert metrics["rows"]["dev"] == 0
    assert seqpipe.load(tmp_path / "run", device="cpu").pipeline.recipe.data.dev is None
    with pytest.raises(seqpipe.ConfigError, match=r"neither a test nor a dev part; give --data SOURCE"):
        seqpipe.evaluate(tmp_path / "run")


def test_a_disk_that_fills_up_while_training_leaves_a_model(
    small_disk: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    space = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(bytes(space.f_bavail * space.f_frsize - 120_000))  # enough for the model alone
    with pytest.raises(OSError, match=r"No space left"):
        train_tones(small_disk / "run")
    assert seqpipe.load(small_disk / "run", device="cpu").pipeline.head.units
    assert not [path.name for path in (small_disk / "run").rglob("*") if path.name.startswith(".")]
    (small_disk / "other").unlink()
    assert train_tones(small_disk / "run", resume=True)["epochs"] == 2
