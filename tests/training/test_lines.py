"""The starter of handwriting, cut to seconds: images in, text and places in pixels out."""

from pathlib import Path
from typing import Any

import pytest

from seqpipe.answers.transcript import Transcript
from seqpipe.config.recipe import Recipe, load_recipe
from seqpipe.data.source import data_root, read_rows
from seqpipe.data.starter.handwriting import starter_handwriting
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.inference.predictor import Predictor
from seqpipe.pipeline import Pipeline
from seqpipe.training.train import train

SMALL = {"train": 24, "dev": 6, "test": 6}
FEW = [
    "training.epochs=90",
    "training.evaluate_every=90",
    "training.batch_steps=700",
    "training.learning_rate=0.02",
    "training.warmup=0.2",
    "training.workers=0",
    "training.threads=1",
    "training.device=cpu",
    "training.report=false",
    "pipeline.features.LineImage.height=16",
    "pipeline.features.LineDistortion.probability=0.3",
    "pipeline.features.LineDistortion.shift_y=1",
    "pipeline.features.LineDistortion.elastic_amplitude=1",
    "pipeline.frontend.channels=[8, 12, 16]",
    "pipeline.frontend.strides=[[1, 2], [2, 2], [1, 2]]",
    "pipeline.encoder.hidden_size=24",
]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = starter_handwriting(tmp_path_factory.mktemp("cache"), sizes=SMALL)
    return load_recipe("handwriting/starter", [f"data.root={folder}", *FEW])


@pytest.fixture(scope="module")
def trained(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    run = tmp_path_factory.mktemp("runs") / "lines"
    return run, train(recipe, run, quiet=True)


def test_a_small_starter_learns_to_read(recipe: Recipe, trained: tuple[Path, dict[str, Any]]) -> None:
    """What it was trained on, of 24 lines: one that reads nothing, or the same everywhere, has 80 % or more."""
    run, metrics = trained
    assert metrics["rows"] == {"train": 24, "dev": 6, "failed": 0}
    assert evaluate(Predictor(Pipeline.load(run)), str(data_root(recipe.data) / "train.tsv")).scores["cer"] < 60


def test_answers_say_where_words_stand_in_the_file(recipe: Recipe, trained: tuple[Path, dict[str, Any]]) -> None:
    from PIL import Image

    rows = list(read_rows("test.tsv", recipe.data, suffixes=frozenset({".png"}), root=data_root(recipe.data)))
    assert len(rows) == SMALL["test"]
    for row, answer in zip(rows, Predictor(Pipeline.load(trained[0])).predict(rows), strict=True):
        assert isinstance(answer, Transcript)
        assert answer.id == row.id
        assert "".join(token.text for token in answer.tokens) == answer.text
        with Image.open(row.input.source) as image:
            width = image.width
        for before, word in zip((None, *answer.words), answer.words, strict=False):
            assert (before.end if before else 0) <= word.start < word.end <= width


def test_the_same_training_gives_the_same_bits(
    trained: tuple[Path, dict[str, Any]], same_weights: Any, tmp_path: Path
) -> None:
    """Distortions included: they are drawn from the seed and the step."""
    short = load_recipe(trained[0] / "recipe.yaml", ["training.epochs=2", "training.evaluate_every=2"])
    train(short, tmp_path / "once", quiet=True)
    train(short, tmp_path / "again", quiet=True)
    assert same_weights(tmp_path / "once", tmp_path / "again")
