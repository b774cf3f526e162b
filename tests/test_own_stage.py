"""Stages of the user's own, as docs/own_stage.md shows them: trained, resumed, asked and scored by the commands."""

import contextlib
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
from safetensors.torch import load_file

from seqpipe import cli, evaluate, load_recipe, train
from seqpipe.core.head import Head
from seqpipe.errors import ConfigError

PAGE = Path(__file__).parents[1] / "docs" / "own_stage.md"
MAX_LINES = 60
"""Of code, without blank lines and imports."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's stages, recipe and rows."""
    folder = tmp_path_factory.mktemp("spikes")
    stages, rows = blocks("python")
    (folder / "spikes.py").write_text(stages)
    (folder / "spikes.yaml").write_text(blocks("yaml")[0])
    with contextlib.chdir(folder):
        exec(compile(rows, str(PAGE), "exec"), {"np": np})
    sys.path.insert(0, str(folder))
    importlib.import_module("spikes")
    yield folder
    sys.path.remove(str(folder))


def test_it_is_short() -> None:
    lines = [
        line for line in blocks("python")[0].splitlines() if line.strip() and not line.startswith(("from", "import"))
    ]
    assert len(lines) <= MAX_LINES


def test_it_trains_answers_with_places_and_is_scored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert cli.main(["train", "spikes.yaml", "--out", "run", "--import", "spikes"]) == 0
    assert cli.main(["infer", "run", "dev.tsv", "--output", "out.jsonl", "--import", "spikes"]) == 0
    answers = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert len(answers) == 60
    for line, answer in zip((folder / "dev.tsv").read_text().splitlines()[1:], answers, strict=True):
        numbers, label = line.split("\t")
        assert answer["label"] == label
        if label == "spike":
            values = [float(number) for number in numbers.split()]
            assert abs(answer["place"] - values.index(max(values))) <= 0.5
    found = evaluate(folder / "run", device="cpu")
    low, high = found.intervals["accuracy"]
    assert low <= found.scores["accuracy"] == 100.0 == high


class Stop(lightning.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt


def test_it_is_resumed_bit_by_bit(folder: Path) -> None:
    recipe = load_recipe(folder / "spikes.yaml", ["training.epochs=3", "training.checkpoint_minutes=0"])
    train(recipe, folder / "whole", quiet=True)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder / "parted", quiet=True, callbacks=[Stop(11)])
    train(recipe, folder / "parted", quiet=True, resume=True)
    one, other = (load_file(folder / name / "model.safetensors") for name in ("whole", "parted"))
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)


def test_a_head_says_all_that_it_lacks_when_it_is_built() -> None:
    class _Half(Head):
        def loss(self, encoded: Any, targets: Any) -> Any:
            return None

    with pytest.raises(
        ConfigError, match="_Half can't be built: a head needs answer, decode, encode_target, metric, post"
    ):
        _Half()
