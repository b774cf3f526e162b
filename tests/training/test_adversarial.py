"""Adversarial training: where features are moved to, and that it is passed over where none can be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe import PaddedSequence
from seqpipe.config.recipe import load_recipe
from seqpipe.pipeline import Pipeline
from seqpipe.training.adversarial import perturbed
from seqpipe.training.train import train

TrainTones = Callable[..., dict[str, Any]]
LENGTHS = [5, 1, 8]


@pytest.fixture
def features() -> PaddedSequence:
    generator = torch.Generator().manual_seed(1)
    batch = PaddedSequence.pad([torch.randn(length, 4, generator=generator) for length in LENGTHS])
    return PaddedSequence(batch.values.requires_grad_(), batch.lengths)


def losses(features: PaddedSequence, *, padding: bool = False) -> Tensor:
    """Of each row, ``[B]``; smooth, and with a gradient everywhere. The padding counts if so wished."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 1)
    scores = layer(features.values if padding else features.masked().values)[..., 0]
    return nn.functional.softplus(scores).sum(dim=1)


@pytest.mark.parametrize("strength", [0.01, 0.5])
def test_each_row_moves_by_its_share_and_only_where_it_has_steps(strength: float, features: PaddedSequence) -> None:
    for padding in (False, True):
        moved = perturbed(features, losses(features, padding=padding).sum(), strength)
        shift = moved.values - features.values
        wanted = strength * features.values.flatten(1).norm(dim=1)
        torch.testing.assert_close(shift.flatten(1).norm(dim=1), wanted, rtol=1e-4, atol=1e-6)
        assert not shift[~features.mask()].any()
        assert torch.equal(moved.lengths, features.lengths)


def test_the_loss_rises_most_in_that_direction(features: PaddedSequence) -> None:
    before = losses(features)
    moved = perturbed(features, before.sum(), 0.01)
    after = losses(moved)
    assert (after > before).all()
    size = (moved.values - features.values).flatten(1).norm(dim=1)
    for seed in range(20):
        other = torch.randn(features.values.shape, generator=torch.Generator().manual_seed(seed))
        other = PaddedSequence(other, features.lengths).masked().values
        other = other * (size / other.flatten(1).norm(dim=1)).view(-1, 1, 1)
        assert (losses(PaddedSequence(features.values + other, features.lengths)) < after).all()


def test_the_disturbance_is_a_constant_to_the_gradient(features: PaddedSequence) -> None:
    moved = perturbed(features, losses(features).sum(), 0.5)
    (gradient,) = torch.autograd.grad(moved.values.sum(), features.values)
    assert torch.equal(gradient, torch.ones_like(gradient))


def test_without_strength_or_features_nothing_moves(features: PaddedSequence) -> None:
    assert torch.equal(perturbed(features, losses(features).sum(), 0.0).values, features.values)
    nothing = PaddedSequence(torch.zeros(1, 2, 4, requires_grad=True), torch.tensor([2]))
    assert not perturbed(nothing, losses(nothing).sum(), 0.5).values.any()


ROWS = ["good fun\tyes", "so bad\tno", "a good film\tyes", "bad bad film\tno", "fun\tyes", "what a bore\tno"] * 4
RECIPE = """
data: {train: train.tsv, input: text, target: label}
pipeline:
  features:
    - {stage: Tokens}
    - {stage: Embedding, size: 2, vectors: %s, tuned: %s}
  encoder: {stage: RecurrentEncoder, hidden_size: 4, layers: 1}
  head: {stage: ClassifierHead}
training: {epochs: 2, batch_steps: 20, workers: 0, threads: 1, device: cpu, report: false, adversarial: %s}
"""


def weights(folder: Path, out: str, tuned: str, strength: str) -> dict[str, Tensor]:
    (folder / "train.tsv").write_text("text\tlabel\n" + "\n".join(ROWS) + "\n")
    (folder / "vectors.txt").write_text("good 0.5 0.25\nbad -0.5 0.5\n")
    (folder / "moods.yaml").write_text(RECIPE % (folder / "vectors.txt", tuned, strength))
    train(load_recipe(folder / "moods.yaml"), folder / out, quiet=True, notice=lambda line: None)
    return Pipeline.load(folder / out).state_dict()


@pytest.mark.parametrize("tuned", ["true", "false"])
def test_vectors_that_learn_are_disturbed_and_frozen_ones_alone_are_not(tuned: str, tmp_path: Path) -> None:
    plain = weights(tmp_path, "plain", tuned, "0")
    worse = weights(tmp_path, "worse", tuned, "0.3")
    assert all(torch.equal(plain[name], worse[name]) for name in plain) == (tuned == "false")


def test_features_without_a_gradient_train_as_if_nothing_was_said(
    train_tones: TrainTones, same_weights: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    train_tones(tmp_path / "plain", "training.epochs=1")
    train_tones(tmp_path / "worse", "training.epochs=1", "training.adversarial=0.3")
    assert same_weights(tmp_path / "plain", tmp_path / "worse")


def test_features_held_still_are_not_disturbed(tmp_path: Path) -> None:
    held = ["training.freeze=[features]"]
    found = []
    weights(tmp_path, "first", "true", "0")
    for name, strength in (("plain", 0), ("worse", 0.3)):
        recipe = load_recipe(tmp_path / "moods.yaml", [*held, f"training.adversarial={strength}"])
        train(recipe, tmp_path / name, quiet=True, notice=lambda line: None)
        found.append(Pipeline.load(tmp_path / name).state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
