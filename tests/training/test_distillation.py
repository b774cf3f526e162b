"""What a student learns from trained models, and which teachers are refused."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seqpipe import ClassifierHead, ConfigError, CTCHead, LineDistortion, PaddedSequence, Pipeline, RunError
from seqpipe.checks.part import Part
from seqpipe.config.recipe import load_recipe
from seqpipe.core.head import PredictsDistributions
from seqpipe.data.rows import Row
from seqpipe.training.distillation import Teachers, distance
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]

ROWS = ["good fun\tyes", "so bad\tno", "a good film\tyes", "bad bad film\tno", "fun\tyes", "what a bore\tno"] * 4
RECIPE = """
data: {train: train.tsv, dev: train.tsv, input: text, target: label}
pipeline:
  features: [{stage: Tokens}, {stage: Embedding, size: 6}]
  encoder: {stage: RecurrentEncoder, hidden_size: 5, layers: 1}
  head: {stage: ClassifierHead}
training: {epochs: 3, batch_steps: 40, learning_rate: 0.02, workers: 0, threads: 1, device: cpu, report: false}
"""


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    (tmp_path / "train.tsv").write_text("text\tlabel\n" + "\n".join(ROWS) + "\n")
    (tmp_path / "moods.yaml").write_text(RECIPE)
    return tmp_path


def run(folder: Path, out: str, *overrides: str) -> Pipeline:
    train(load_recipe(folder / "moods.yaml", overrides), folder / out, quiet=True, notice=lambda line: None)
    return Pipeline.load(folder / out)


def answers(pipeline: Pipeline) -> torch.Tensor:
    """Probabilities of the different rows, ``[N, 2]``."""
    texts = [row.partition("\t")[0] for row in ROWS[:6]]
    batch = PaddedSequence.pad([pipeline.features.prepare(text, None) for text in texts])
    with torch.inference_mode():
        encoded = pipeline(batch)
        assert isinstance(pipeline.head, PredictsDistributions)
        return pipeline.head.predict(encoded, [])[0].log_probabilities.values[:, 0].exp()


def test_the_teacher_s_doubts_are_learnt_and_its_mistakes(moods: Path) -> None:
    teacher = run(moods, "teacher", "training.epochs=1", "training.learning_rate=0.001")
    labels = run(moods, "labels", "training.epochs=40", "training.seed=2")
    student = run(moods, "student", "training.epochs=40", "training.seed=2", f"training.distill_from={moods}/teacher",
                  "training.distillation=1")  # fmt: skip
    apart = (answers(labels) - answers(teacher)).abs().max()
    assert (answers(student) - answers(teacher)).abs().max() < 0.1 * apart


def part(pipeline: Pipeline) -> Part:
    rows = [Row(str(place), *line.split("\t")) for place, line in enumerate(ROWS)]
    return Part("train", "rows", rows, [], [pipeline.head.encode_target(row.target) for row in rows])


def test_several_teach_by_the_mean_of_their_probabilities_and_from_oneself_there_is_nothing_to_learn(
    moods: Path,
) -> None:
    one, other = run(moods, "one"), run(moods, "other", "training.seed=2")
    student = run(moods, "student", "training.epochs=1").eval()
    teachers = Teachers([str(moods / "one"), str(moods / "other")], student, part(student))
    texts = [row.partition("\t")[0] for row in ROWS[:6]]
    batch = PaddedSequence.pad([student.features.prepare(text, None) for text in texts])
    found = teachers.predict(batch, part(student).targets[:6])[0].log_probabilities.values[:, 0].exp()
    torch.testing.assert_close(found, (answers(one) + answers(other)) / 2)
    itself = Teachers([str(moods / "student")], student, part(student)).predict(batch, part(student).targets[:6])
    assert float(distance(itself, student.head.predict(student(batch), []))) == pytest.approx(0.0, abs=1e-5)


def test_a_teacher_of_other_labels_or_words_or_none_at_all_is_refused(moods: Path) -> None:
    run(moods, "teacher", "training.epochs=1")
    (moods / "train.tsv").write_text("text\tlabel\n" + "\n".join(ROWS).replace("yes", "zero") + "\n")
    distilled = f"training.distill_from=[{moods}/teacher]"
    with pytest.raises(RunError, match=r"distill_from: .*teacher encodes the target of .*train.tsv.* otherwise"):
        run(moods, "labels", distilled)
    (moods / "train.tsv").write_text("text\tlabel\n" + "\n".join(ROWS).replace("film", "show") + "\n")
    with pytest.raises(RunError, match=r"teacher prepares .*train.tsv.* otherwise"):
        run(moods, "words", distilled)
    with pytest.raises(RunError, match="nowhere"):
        run(moods, "nobody", f"training.distill_from=[{moods}/nowhere]")
    with pytest.raises(ConfigError, match="distillation"):
        run(moods, "share", distilled, "training.distillation=1.5")


def test_a_stopped_training_goes_on_with_its_teachers(
    train_tones: TrainTones, train_stopped: TrainTones, same_weights: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    train_tones(tmp_path / "teacher", "training.epochs=1")
    taught = [f"training.distill_from={tmp_path}/teacher", "training.consistency=0.2"]
    whole = train_tones(tmp_path / "whole", *taught)
    again = train_stopped(tmp_path / "stopped", *taught)
    assert same_weights(tmp_path / "whole", tmp_path / "stopped")
    assert again["dev"] == whole["dev"]


def test_features_that_move_steps_are_refused_where_steps_are_compared() -> None:
    student: Any = SimpleNamespace(
        features=SimpleNamespace(stages=[LineDistortion(input_size=48)]), head=CTCHead(input_size=2)
    )
    with pytest.raises(ConfigError, match=r"training\.distill_from .*LineDistortion moves steps"):
        Teachers([], student, Part("train", "", [], []))
    student.head = ClassifierHead(input_size=2)
    assert Teachers([], student, Part("train", "", [], [])).pipelines == []
