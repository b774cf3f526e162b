"""Shared by the tests of evaluation: the model that knows the tones, texts that make it err, and models of words.

A classifier and a tagger that are linear in the words, with weights set by hand, so that it is known what they answer.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

import seqpipe
from seqpipe.config.recipe import load_recipe
from seqpipe.data.source import training_rows
from seqpipe.inference.predictor import Predictor
from seqpipe.pipeline import Pipeline

Relabel = Callable[[Callable[[int, str], str]], Path]


@pytest.fixture(scope="session")
def predictor(trained_run: Path) -> Predictor:
    """The trained run, loaded."""
    return seqpipe.load(trained_run, device="cpu")


@pytest.fixture
def relabel(tone_data: Path, tmp_path: Path) -> Relabel:
    """Writes the dev manifest with other texts: the model, which knows the tones, then errs where we say."""

    def write(change: Callable[[int, str], str]) -> Path:
        header, *rows = (tone_data / "dev.tsv").read_text().splitlines()
        fields = [row.split("\t") for row in rows]
        lines = [
            "\t".join([str(tone_data / path), name, change(index, text)])
            for index, (path, name, text) in enumerate(fields)
        ]
        (tmp_path / "dev.tsv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path / "dev.tsv"

    return write


MOODS = {
    "train": [("a good film", "good"), ("a bad film", "bad"), ("not so good", "bad"), ("so bad it is good", "good")],
    "dev": [
        ("a good film", "good"),
        ("a bad film", "bad"),
        ("not a bad film", "good"),
        ("good good", "bad"),
        ("it is so so", "bad"),
    ],
}
MOOD_WEIGHTS = {"good": 6.0, "bad": -6.0, "not": -1.0, "so": 0.5}
TAGS = {
    "train": [
        "Ann/B-PER Lee/I-PER is/O in/O Paris/B-LOC",
        "Lee/B-PER saw/O New/B-LOC York/I-LOC",
        "is/O Paris/B-PER in/O",
    ],
    "dev": [
        "Ann/B-PER Lee/I-PER is/O in/O Paris/B-LOC",  # right
        "Ann/B-PER saw/O Paris/B-PER",  # another type
        "Bob/B-PER is/O in/O New/B-LOC York/I-LOC City/I-LOC",  # missed, and too short
        "is/O New/O in/O",  # a false one
    ],
}
TAG_WEIGHTS = {"Ann": "B-PER", "Lee": "I-PER", "Paris": "B-LOC", "New": "B-LOC", "York": "I-LOC"}


def set_weights(pipeline: Pipeline, weights: Mapping[str, Mapping[str, float]]) -> None:
    """Scores of the head's classes by word."""
    head, words = pipeline.head, pipeline.features.reader.vocabulary
    layer = (head.pooled[0].mlp if hasattr(head, "pooled") else head.mlp).output
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        for word, scores in weights.items():
            for label, score in scores.items():
                layer.weight[pipeline.head.classes.number(label), words.index(word)] = score


@pytest.fixture
def mood_run(tmp_path: Path) -> Path:
    """A run that classifies moods of sentences; "good good" and "not a bad film" are its most confident mistakes."""
    for part, rows in MOODS.items():
        (tmp_path / f"{part}.tsv").write_text("\n".join(["text\tmood", *("\t".join(row) for row in rows)]) + "\n")
    (tmp_path / "moods.yaml").write_text(
        f"data: {{root: {tmp_path}, train: train.tsv, dev: dev.tsv, input: text, target: mood}}\n"
        "pipeline:\n  features: [{stage: Tokens}, {stage: OneHot}]\n"
        "  head: {stage: ClassifierHead, pooling: [mean]}\n"
    )
    recipe = load_recipe(tmp_path / "moods.yaml")
    pipeline = Pipeline(recipe)
    pipeline.fit(list(training_rows(recipe.data, suffixes=frozenset())))
    set_weights(pipeline, {word: {"good": weight} for word, weight in MOOD_WEIGHTS.items()})
    pipeline.save(tmp_path / "moods")
    return tmp_path / "moods"


@pytest.fixture
def tag_run(tmp_path: Path) -> Path:
    """A run that tags people and places; of its dev rows the first is right."""
    for part, rows in TAGS.items():
        sentences = ["\n".join(word.replace("/", "\t") for word in row.split()) for row in rows]
        (tmp_path / f"{part}.txt").write_text("\n\n".join(sentences) + "\n")
    (tmp_path / "tags.yaml").write_text(
        f"data: {{root: {tmp_path}, train: train.txt, dev: dev.txt, format: columns, columns: [token, tag], "
        "input: token, target: tag}\n"
        "pipeline:\n  features: [{stage: Tokens}, {stage: OneHot}]\n"
        "  head: {stage: TaggerHead, scheme: bio}\n"
    )
    recipe = load_recipe(tmp_path / "tags.yaml")
    pipeline = Pipeline(recipe)
    pipeline.fit(list(training_rows(recipe.data, suffixes=frozenset())))
    outside = {word: {"O": 5.0} for word in pipeline.features.reader.vocabulary}
    set_weights(pipeline, {**outside, **{word: {tag: 4.0} for word, tag in TAG_WEIGHTS.items()}})
    pipeline.save(tmp_path / "tags")
    return tmp_path / "tags"
