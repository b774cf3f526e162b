"""Text models while training: bits that neither a kill nor workers change, and targets that nothing gives away."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from seqpipe.config.recipe import load_recipe
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError
from seqpipe.pipeline import Pipeline
from seqpipe.training.gradients import kept_statistics
from seqpipe.training.train import train

SameWeights = Callable[[Path, Path], bool]
FILLING = ["the", "film", "Was", "a", "story", "Actors", "rare1", "rare2", "rare3", "12:30"]
TOKENS = "{stage: Tokens, characters: 8, min_count: 2, rare_dropout: 1.0, lowercase_share: 0.3}"
ALL = """
  - {stage: Embedding, size: 8, word_dropout: 0.2, dropout: 0.2, dropout_kind: variational}
  - {stage: CharacterFeatures, kind: cnn, size: 4, filters: [6], kernels: [3], dropout: 0.1}
  - {stage: AffixFeatures, size: 4}
"""
RECIPE = """
data: {{train: train.tsv, dev: dev.tsv, input: text, target: {target}}}
pipeline:
  features:
    - {tokens}
    - stage: Concatenation
      stages:{parts}
  encoder: {encoder}
  head: {head}
training:
  {{epochs: 3, batch_rows: 16, batch_steps: 10000, learning_rate: 0.01, workers: 0, threads: 1, device: cpu,
   report: false, evaluate_every: 1, checkpoint_minutes: 0, average: last, average_epochs: 2}}
"""
RECURRENT = "{stage: RecurrentEncoder, hidden_size: 6, layers: 1, dropout: 0.1}"
MODELS: dict[str, dict[str, str]] = {
    "n-grams": {
        "target": "label",
        "tokens": TOKENS,
        "parts": ALL.replace("\n", "\n      ") + "  - {stage: NGramFeatures, size: 4, dropout: 0.3}",
        "encoder": f"{{stage: Bypass, size: 4, encoder: {RECURRENT}}}",
        "head": "{stage: ClassifierHead, pooling: [max, root], step_dropout: 0.2, dropout: 0.2}",
    },
    "log ratios": {
        "target": "label",
        "tokens": "{stage: Tokens, text: [lowercase], characters: 8, lowercase_share: 0.3}",
        "parts": ALL.replace("\n", "\n      ") + "  - {stage: LogRatioFeatures, dropout: 0.3}",
        "encoder": RECURRENT,
        "head": "{stage: ClassifierHead, dropout: 0.2}",
    },
    "tags": {
        "target": "tags",
        "tokens": TOKENS,
        "parts": ALL.replace("\n", "\n      ") + "  - {stage: NGramFeatures, size: 4, dropout: 0.3}",
        "encoder": RECURRENT,
        "head": "{stage: TaggerHead, scheme: bio, decoder: crf, dropout: 0.2}",
    },
}
ADVERSARIAL = "training.adversarial=0.1"


class Killed(BaseException):
    """Ends a training as a kill would: nobody tidies up."""


class Kill(lightning.Callback):
    """Ends a training before its last batches."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_train_batch_start(self, *_: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 rows with a label and a tag for each word, and a recipe of each model."""
    folder, draw = tmp_path_factory.mktemp("words"), random.Random(0)
    for part, count in (("train", 40), ("dev", 6)):
        lines = ["text\tlabel\ttags"]
        for _ in range(count):
            label = draw.choice(["good", "bad"])
            words = [*draw.choices(FILLING, k=draw.randint(1, 6)), label, draw.choice(["Anna", "Boris"])]
            tags = ["B-PER" if word in ("Anna", "Boris") else "O" for word in words]
            lines.append(f"{' '.join(words)}\t{label}\t{' '.join(tags)}")
        (folder / f"{part}.tsv").write_text("\n".join(lines) + "\n")
    for name, parts in MODELS.items():
        (folder / f"{name}.yaml").write_text(RECIPE.format(**parts))
    return folder


def run(folder: Path, name: str, out: Path, *overrides: str, **options: Any) -> dict[str, Any]:
    recipe = load_recipe(folder / f"{name}.yaml", [ADVERSARIAL, *overrides])
    return train(recipe, out, quiet=True, notice=lambda line: None, **options)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, folder: Path) -> tuple[str, Path, dict[str, Any]]:
    """The name of a model, its run that nothing has stopped, and the metrics of that."""
    name = str(request.param)
    return name, folder / f"{name} alone", run(folder, name, folder / f"{name} alone")


@pytest.mark.parametrize("after", [1, 8])  # of nine steps: in the first epoch and in the last
def test_a_killed_training_that_is_resumed_ends_with_the_same_bits(
    after: int, model: tuple[str, Path, dict[str, Any]], folder: Path, same_weights: SameWeights, tmp_path: Path
) -> None:
    name, alone, expected = model
    assert expected["steps"] == 9
    with pytest.raises(Killed):
        run(folder, name, tmp_path / "run", callbacks=[Kill(after)])
    metrics = run(folder, name, tmp_path / "run", resume=True)
    assert same_weights(tmp_path / "run", alone)
    assert metrics["dev"] == expected["dev"]


def test_the_number_of_workers_changes_no_bit(
    model: tuple[str, Path, dict[str, Any]], folder: Path, same_weights: SameWeights, tmp_path: Path
) -> None:
    name, alone, expected = model
    metrics = run(folder, name, tmp_path / "run", "training.workers=2")
    assert same_weights(tmp_path / "run", alone)
    assert metrics["dev"] == expected["dev"]


def test_what_is_drawn_matters(
    model: tuple[str, Path, dict[str, Any]], folder: Path, same_weights: SameWeights, tmp_path: Path
) -> None:
    """Were nothing hidden, dropped or perturbed, the tests above would say little."""
    name, alone, _ = model
    run(folder, name, tmp_path / "seed", "training.seed=5", f"training.init_from={alone}", "training.epochs=1")
    run(folder, name, tmp_path / "other", "training.seed=6", f"training.init_from={alone}", "training.epochs=1")
    assert not same_weights(tmp_path / "seed", tmp_path / "other")


def test_steps_keep_no_copies_of_what_never_changes(model: tuple[str, Path, dict[str, Any]]) -> None:
    """Tables of n-grams and of their counts are large."""
    features = Pipeline.load(model[1]).features
    assert len(list(features.buffers())) >= 3
    assert not kept_statistics(features)


@pytest.mark.parametrize("more", [[], ["training.unfreeze_at=1"]])
def test_features_that_know_targets_can_not_be_held_still(more: list[str], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.freeze: features holds LogRatioFeatures.*give them away"):
        run(folder, "log ratios", tmp_path / "run", "training.freeze=[features]", *more)
    run(folder, "n-grams", tmp_path / "other", "training.freeze=[features]", *more)
    run(folder, "log ratios", tmp_path / "encoder", "training.freeze=[encoder]", *more)


def test_the_seed_alone_decides_where_every_parameter_begins(folder: Path) -> None:
    """Whatever was drawn before; tables that a feature stage makes at once included."""
    found = []
    for drawn, seed in ((1, 5), (2, 5), (2, 6)):
        torch.manual_seed(drawn)
        pipeline = Pipeline(load_recipe(folder / "n-grams.yaml", [f"training.seed={seed}"]))
        pipeline.fit([Row(text, text, target) for text, target in (("good film", "a"), ("bad film", "b"))])
        found.append(pipeline.state_dict())
    assert found[0].keys() == found[2].keys()
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    matrices = [name for name, value in found[0].items() if value.dim() > 1]
    assert not any(torch.equal(found[0][name], found[2][name]) for name in matrices)
