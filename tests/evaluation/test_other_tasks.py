"""Evaluation, report and comparison of a task that is neither speech nor transcription: the mood of a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqpipe.config.recipe import load_recipe
from seqpipe.core.answer import Answer
from seqpipe.core.feature import Reader
from seqpipe.core.head import Head
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind, per_cent
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Location
from seqpipe.errors import InputError
from seqpipe.evaluation.report.write import write_report
from seqpipe.evaluation.scores.compare import compare
from seqpipe.evaluation.scores.compare_table import render_comparison
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.evaluation.scores.table import render
from seqpipe.pipeline import Pipeline

MOODS = ("calm", "loud")
ROWS = [("it is late", "calm"), ("COME <b>HERE</b>", "loud"), ("WHAT is it", "loud"), ("go ON NOW", "calm")] * 6


class ToyLetters(Reader):
    """A sentence as its letters: 1 for a capital, else 0."""

    output_size = 1

    def prepare(self, raw: Any, key: Any) -> Tensor:
        return torch.tensor([[float(letter.isupper())] for letter in raw])


@dataclass(frozen=True)
class ToyAnswer(Answer):
    id: str
    label: str
    confidence: float


class ToyMetric(BaseMetric):
    main = "accuracy"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        "accuracy": ScoreKind("accuracy", "moods that are right", False, "correct_rows", "rows"),
        "kappa": ScoreKind("kappa", "agreement beyond chance", False, unit=""),
    }
    names = ("rows", "correct_rows", "loud", "said_loud")

    def count(self, targets: Sequence[str], answers: Sequence[ToyAnswer], inputs: Sequence[Any] = ()) -> Any:
        pairs = [(target, answer.label) for target, answer in zip(targets, answers, strict=True)]
        return np.array([[1, one == two, one == "loud", two == "loud"] for one, two in pairs], dtype=np.int64)

    def scores(self, total: Any) -> dict[str, float]:
        rows, right, loud, said = total.tolist()
        chance = (loud * said + (rows - loud) * (rows - said)) / rows**2
        return {
            "accuracy": per_cent(right, rows),
            "kappa": (right / rows - chance) / (1 - chance) if chance < 1 else 0.0,
        }

    def aligned(self, targets: Sequence[str], answers: Sequence[ToyAnswer]) -> dict[str, list[list[Pair]]]:
        return {"moods": super().aligned(targets, answers)["rows"]}


class ToyMood(Head):
    """Loud, if at least half are capitals."""

    metric = ToyMetric()

    def __init__(self, *, input_size: InputSize) -> None:
        super().__init__()
        self.output = nn.Linear(input_size, 1)
        nn.init.constant_(self.output.weight, 8.0)
        nn.init.constant_(self.output.bias, -4.0)

    def encode_target(self, raw: Any) -> Tensor:
        if raw not in MOODS:
            raise InputError("bad value", f"{raw!r} is no mood")
        return torch.tensor([MOODS.index(raw)])

    def loud(self, encoded: PaddedSequence) -> Tensor:
        means = encoded.masked().values.sum(1) / encoded.lengths[:, None]
        return self.output(means)[:, 0].sigmoid()

    def loss(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        wanted = torch.cat(list(targets)).float()
        return nn.functional.binary_cross_entropy(self.loud(encoded), wanted, reduction="sum"), torch.tensor(
            len(wanted)
        )

    def decode(self, encoded: PaddedSequence, options: Any = None) -> list[float]:
        return self.loud(encoded).tolist()

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        return [loud if int(target) else 1 - loud for loud, target in zip(self.decode(encoded), targets, strict=True)]

    def answer(self, row_id: str, hypothesis: float, location: Location) -> ToyAnswer:
        return ToyAnswer(row_id, MOODS[hypothesis >= 0.5], max(hypothesis, 1 - hypothesis))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    lines = [f"{sentence}\t{mood}\t{'home' if index % 3 else 'work'}" for index, (sentence, mood) in enumerate(ROWS)]
    (tmp_path / "dev.tsv").write_text("\n".join(["sentence\tmood\tplace", *lines]) + "\n")
    (tmp_path / "moods.yaml").write_text(
        f"data: {{root: {tmp_path}, dev: dev.tsv, input: sentence, target: mood}}\n"
        "pipeline: {features: [{stage: ToyLetters}], head: {stage: ToyMood}}\n"
    )
    pipeline = Pipeline(load_recipe(tmp_path / "moods.yaml"))
    pipeline.fit([])
    pipeline.save(tmp_path / "run")
    return tmp_path / "run"


def test_scores_have_intervals_and_names_of_their_own(run: Path) -> None:
    found = evaluate(run, device="cpu")
    assert found.scores == {"accuracy": 50.0, "kappa": 0.0}
    low, high = found.intervals["accuracy"]
    assert low < 50.0 < high
    table = render(found)
    assert "(12 of 24 rows)" in table
    assert "most frequent errors, moods (reference -> hypothesis):" in table
    assert "6  calm -> loud" in table


def test_a_report_shows_the_sentences(run: Path) -> None:
    page = write_report(run, device="cpu").read_text(encoding="utf-8")
    assert "moods that are right" in page
    assert 'class="text-input">WHAT is it</div>' in page
    assert "by place" in page
    assert "by mood" in page
    assert "by length of the input" in page
    assert "<audio" not in page
    assert "<b>HERE" not in page


def test_runs_are_compared_by_scores_that_are_no_error_rates(run: Path, tmp_path: Path) -> None:
    other = Pipeline.load(run)
    with torch.no_grad():
        other.head.output.bias += 1.0  # "WHAT is it" is loud too, then
    other.save(tmp_path / "other")
    found = compare([run, tmp_path / "other"], device="cpu")
    accuracy = found.differences[0]["accuracy"]
    assert (accuracy.first, accuracy.second) == (50.0, 75.0)
    assert found.changed[0]["accuracy"] == found.changed[0]["kappa"] == (6, 0)
    assert {found.evaluations[0].rows[index].input for index in found.most_different(30)} == {"WHAT is it"}
    assert "accuracy %" in render_comparison(found)
