"""Two views of each row: what their disagreement is, and that it is of training alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from seqpipe import ConfigError, CTCHead, PaddedSequence
from seqpipe.config.recipe import find_recipe, load_recipe
from seqpipe.core.feature import Feature
from seqpipe.core.head import Distribution
from seqpipe.core.randomness import RowKey
from seqpipe.pipeline import Pipeline
from seqpipe.training.consistency import disagreement, features_of_views, two_views
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]
LENGTHS = torch.tensor([4, 2, 4, 2])  # two rows, two views


def predicted(seed: int = 1) -> Tensor:
    logits = torch.randn(4, 4, 3, generator=torch.Generator().manual_seed(seed))
    return logits.log_softmax(dim=-1)


def both(values: Tensor, share: float = 1.0) -> Tensor:
    return disagreement([Distribution(share, PaddedSequence(values, LENGTHS))])


def test_it_is_the_sum_of_both_divergences_over_real_steps() -> None:
    values = predicted()
    wanted = 0.0
    for row, length in enumerate([4, 2]):
        one, other = values[row, :length], values[row + 2, :length]
        wanted += float((one.exp() * (one - other)).sum() + (other.exp() * (other - one)).sum())
    assert float(both(values)) == pytest.approx(wanted, rel=1e-5)
    assert float(both(values, 0.25)) == pytest.approx(wanted / 4, rel=1e-5)
    padded = values.clone()
    padded[1, 2:] = padded[3, 2:] = float("nan")
    assert float(both(padded)) == pytest.approx(wanted, rel=1e-5)


def test_views_that_agree_have_none() -> None:
    values = predicted()[:2]
    assert float(both(torch.cat([values, values]))) == pytest.approx(0.0, abs=1e-6)


def test_each_view_learns_from_the_other_which_stands_still() -> None:
    logits = torch.randn(4, 4, 3, requires_grad=True)
    both(logits.log_softmax(dim=-1)).backward()
    with torch.no_grad():  # the gradient of a cross entropy: what is predicted less what is wanted
        probabilities = logits.softmax(dim=-1)
        real = torch.arange(4)[None, :] < LENGTHS[:, None]
        wanted = (probabilities - probabilities.roll(2, dims=0)) * real[..., None]
    torch.testing.assert_close(logits.grad, wanted)


def test_the_second_view_of_a_row_stands_a_batch_behind_the_first() -> None:
    batch = PaddedSequence.pad([torch.ones(3), 2 * torch.ones(1)])
    views = two_views(batch)
    assert views.lengths.tolist() == [3, 1, 3, 1]
    assert torch.equal(views.values[:2], batch.values)
    assert torch.equal(views.values[2:], batch.values)


MASKED = "pipeline.features=[{stage: Waveform, sample_rate: 8000}, {stage: LogMel, n_mels: 20}, {stage: SpecAugment}]"


def test_views_are_masked_apart_and_the_loss_of_dev_knows_nothing_of_it(
    train_tones: TrainTones, same_weights: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    once = ["training.epochs=1", "pipeline.frontend=null", MASKED]
    plain = train_tones(tmp_path / "plain", *once)
    drawn = train_tones(tmp_path / "drawn", *once, "training.consistency=0.5")
    assert not same_weights(tmp_path / "plain", tmp_path / "drawn")
    assert plain["parameters"] == drawn["parameters"]
    still = ["training.learning_rate=1e-12", *once]  # weights as they were made: only what is computed differs
    first = train_tones(tmp_path / "first", *still)
    second = train_tones(tmp_path / "second", *still, "training.consistency=5")
    assert first["dev"]["loss"] == pytest.approx(second["dev"]["loss"], rel=1e-4)


def test_without_anything_drawn_the_views_agree_and_nothing_changes(train_tones: TrainTones, tmp_path: Path) -> None:
    plain = [
        "training.epochs=1",
        "pipeline.features=[{stage: Waveform, sample_rate: 8000}, {stage: LogMel, n_mels: 20}]",
    ]
    one = train_tones(tmp_path / "one", *plain, "training.consistency=0")
    two = train_tones(tmp_path / "two", *plain, "training.consistency=1")
    assert one["dev"]["loss"] == pytest.approx(two["dev"]["loss"], rel=1e-3)


NUMBERS = """
data: {train: rows.tsv, input: text, target: number}
pipeline:
  features: [{stage: Tokens}, {stage: Embedding, size: 2}]
  head: {stage: %s}
training: {epochs: 1, batch_steps: 20, workers: 0, threads: 1, device: cpu, report: false, %s}
"""


@pytest.mark.parametrize("key", ["consistency: 1", "distill_from: elsewhere"])
def test_a_head_without_distributions_is_refused(key: str, tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("text\tnumber\n" + "\n".join(f"word{n}\t{n}" for n in range(8)) + "\n")
    (tmp_path / "numbers.yaml").write_text(NUMBERS % ("RegressionHead", key))
    with pytest.raises(ConfigError, match=rf"training.{key.partition(':')[0]} .*distribution.*RegressionHead"):
        train(load_recipe(tmp_path / "numbers.yaml"), tmp_path / "run", quiet=True, notice=lambda line: None)


def test_a_row_whose_loss_is_not_finite_is_named_though_it_has_two_views(
    train_tones: TrainTones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CTCHead.forward
    calls = []

    def broken(self: CTCHead, encoded: PaddedSequence) -> PaddedSequence:
        found = real(self, encoded)
        calls.append(self.training)
        # In the first step, one row of the batch is not finite, as often as it is looked at.
        bad = len(encoded.values) > 1 and calls.count(True) == 1
        return PaddedSequence(found.values * float("nan"), found.lengths) if bad else found

    monkeypatch.setattr(CTCHead, "forward", broken)
    notices: list[str] = []
    metrics = train_tones(
        tmp_path / "run", "training.consistency=0.2", "training.dry_run=false", "training.epochs=1", notices=notices
    )
    assert metrics["skipped_steps"] == 1
    assert any("the loss is nan; rows" in notice for notice in notices)


class Warped(Feature, register=False):
    """Leaves out as many steps of each row as it draws, and says so or doesn't."""

    augments = True

    def __init__(self) -> None:
        super().__init__()
        self.output_size = 2

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        drawn = torch.randint(0, 5, (len(sequence.lengths),))
        return PaddedSequence(sequence.values + drawn[:, None, None], sequence.lengths - drawn)


class Saying(Warped, register=False):
    warps = True


class Noise(Feature, register=False):
    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        return PaddedSequence(sequence.values + torch.rand(len(sequence.values), 1, 1), sequence.lengths)


class Chained:
    """What `features_of_views` asks a chain of features."""

    def __init__(self, *stages: Feature) -> None:
        self.names, self.stages = [type(stage).__name__ for stage in stages], stages


ROWS = PaddedSequence(torch.zeros(6, 9, 2), torch.full((6,), 9))


def test_views_whose_steps_are_compared_are_warped_alike_and_changed_apart() -> None:
    torch.manual_seed(1)
    views = features_of_views(Chained(Noise(), Saying(), Noise()), ROWS, same_steps=True)
    first, second = views.lengths.chunk(2)
    assert torch.equal(first, second)
    assert len(set(first.tolist())) > 1
    apart = (views.values[:6] - views.values[6:]).abs()
    assert ((apart > 0) & (apart < 1)).all()  # the noise behind; the same whole number in both
    last = features_of_views(Chained(Noise(), Saying()), ROWS, same_steps=True)
    assert torch.equal(last.values[:6], last.values[6:])


def test_views_of_whole_inputs_are_drawn_anew_from_the_first_stage_on() -> None:
    torch.manual_seed(1)
    views = features_of_views(Chained(Saying(), Noise()), ROWS, same_steps=False)
    assert not torch.equal(*views.lengths.chunk(2))


def test_a_stage_that_warps_without_saying_so_is_named() -> None:
    torch.manual_seed(1)
    with pytest.raises(ConfigError, match=r"training\.consistency has Warped leave two views .* warps = True"):
        features_of_views(Chained(Noise(), Warped()), ROWS, same_steps=True)


def strokes(points: int) -> list[list[int]]:
    return [[0, 0, *(3, 7, 4, -7) * (points // 2)], [points * 4, 5, *(2, 5, 3, -5) * (points // 2)]]


@pytest.mark.parametrize(
    ("recipe", "inputs"),
    [
        ("handwriting/peraire", [np.full((48, width), 200, np.uint8) for width in (300, 280, 200, 120)]),
        ("handwriting/unipen_words", [strokes(points) for points in (40, 36, 30, 24)]),
    ],
)
def test_distorted_lines_and_strokes_keep_the_same_steps_in_both_views(recipe: str, inputs: list[Any]) -> None:
    features = Pipeline(load_recipe(find_recipe(recipe))).features.train()
    torch.manual_seed(2)
    rows = PaddedSequence.pad([features.prepare(raw, RowKey(1, 0, row)) for row, raw in enumerate(inputs)])
    views = features_of_views(features, rows, same_steps=True)
    assert torch.equal(*views.lengths.chunk(2))
    assert not torch.equal(*views.values.chunk(2))
    apart = features_of_views(features, rows, same_steps=False)
    assert not torch.equal(*apart.lengths.chunk(2))
