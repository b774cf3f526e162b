"""What Lightning makes of our epochs, batches and rates: its counting is where such pipelines go wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest

from seqpipe.config.recipe import load_recipe
from seqpipe.training.optimization import one_cycle
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]


class Watch(lightning.Callback):
    """Notes what a training does, from inside."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, list[int]]] = []  # epoch, rows
        self.announced: list[tuple[int, float]] = []  # epoch, number of batches that Lightning expects
        self.rates: list[float] = []
        self.planned: dict[int, list[list[int]]] = {}

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        epoch = trainer.current_epoch
        self.announced.append((epoch, trainer.num_training_batches))
        self.planned[epoch] = [list(batch) for batch in trainer.train_dataloader.batches.plan(epoch)]

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_index: int) -> None:
        self.batches.append((trainer.current_epoch, batch.rows))
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.fixture(scope="module", params=[0, 1], ids=["no worker", "a worker"])
def track_rows(request: pytest.FixtureRequest, tone_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """Three epochs whose numbers of batches differ, since speed perturbation changes the lengths."""
    watch = Watch()
    recipe = load_recipe(
        tone_data / "tones.yaml",
        [
            "training.epochs=3",
            "training.batch_steps=150",
            "training.report=false",
            f"training.workers={request.param}",
            "pipeline.features.1={stage: SpeedPerturbation, factors: [0.7, 1.0, 1.4]}",
        ],
    )
    train(recipe, tmp_path_factory.mktemp("track_rows") / "run", quiet=True, callbacks=[watch])
    return watch


def test_training_sees_the_planned_batches_of_each_epoch(track_rows: Watch) -> None:
    for epoch in range(3):
        seen = [rows for at, rows in track_rows.batches if at == epoch]
        assert seen == track_rows.planned[epoch]
        assert sorted(row for rows in seen for row in rows) == list(range(80))
    plans = [track_rows.planned[epoch] for epoch in range(3)]
    assert plans[0] != plans[1] != plans[2]


def test_lightning_expects_as_many_batches_as_come(track_rows: Watch) -> None:
    assert track_rows.announced == [(epoch, len(track_rows.planned[epoch])) for epoch in range(3)]
    assert len({count for _, count in track_rows.announced}) > 1  # the case is there


def test_the_rate_is_that_of_the_share_of_the_training_done(track_rows: Watch) -> None:
    shares = [
        epoch / 3 + batch / len(track_rows.planned[epoch]) / 3
        for epoch in range(3)
        for batch in range(len(track_rows.planned[epoch]))
    ]
    expected = [0.03 * one_cycle(share, 0.2, 1000.0) for share in shares]
    assert track_rows.rates == pytest.approx(expected, rel=1e-6)


def test_the_number_of_workers_changes_no_bit_of_the_model(
    train_tones: TrainTones, same_weights: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    for workers in (0, 1, 2):
        train_tones(tmp_path / str(workers), f"training.workers={workers}", "training.epochs=1")
    assert same_weights(tmp_path / "0", tmp_path / "1")
    assert same_weights(tmp_path / "0", tmp_path / "2")


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    train_tones: TrainTones, same_weights: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    metrics = [train_tones(tmp_path / name, f"training.seed={name[0]}") for name in ("1a", "1b", "2")]
    assert same_weights(tmp_path / "1a", tmp_path / "1b")
    assert not same_weights(tmp_path / "1a", tmp_path / "2")
    assert metrics[0]["dev"] == metrics[1]["dev"]


def test_every_epoch_has_its_line(training_command: tuple[Path, Any]) -> None:
    """On standard error of the real command; the scores where dev was scored."""
    lines = re.findall(r"^epoch (\d+)/10 loss (\d+\.\d+) (.*)rate", training_command[1].stderr, re.MULTILINE)
    assert [int(epoch) for epoch, _, _ in lines] == list(range(1, 11))
    assert ["dev_wer" in scores for _, _, scores in lines] == [False, True] * 5
    assert float(lines[-1][1]) < 0.2 * float(lines[0][1])
