"""Shared by the tests of training: trains the tones in this process, for a few epochs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.config.recipe import load_recipe
from seqpipe.pipeline import Pipeline
from seqpipe.training.train import train

SHORT = ["data.train=few.tsv", "training.epochs=2", "training.evaluate_every=1", "training.report=false"]

TrainTones = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def train_tones(tone_data: Path) -> TrainTones:
    """``train_tones(out, "key.path=value", ..., resume=False, notices=[])`` gives what metrics.json holds."""

    def run(out: Path, *overrides: str, notices: list[str] | None = None, **options: Any) -> dict[str, Any]:
        recipe = load_recipe(tone_data / "tones.yaml", [*SHORT, *overrides])
        return train(recipe, out, quiet=True, notice=(notices if notices is not None else []).append, **options)

    return run


class Stopped(Exception):
    """Ends a training where it is raised."""


@pytest.fixture(scope="session")
def train_stopped(train_tones: TrainTones) -> TrainTones:
    """`train_tones`, ended at its first scores and gone on with."""

    def stop(epoch: int, scores: dict[str, float]) -> None:
        raise Stopped

    def run(out: Path, *overrides: str) -> dict[str, Any]:
        with pytest.raises(Stopped):
            train_tones(out, *overrides, on_scores=stop)
        return train_tones(out, *overrides, resume=True)

    return run


@pytest.fixture(scope="session")
def same_weights() -> Callable[[Path, Path], bool]:
    """Whether two run directories hold bit-equal models."""

    def compare(one: Path, other: Path) -> bool:
        first, second = Pipeline.load(one).state_dict(), Pipeline.load(other).state_dict()
        assert first.keys() == second.keys()
        return all(torch.equal(first[name], second[name]) for name in first)

    return compare
