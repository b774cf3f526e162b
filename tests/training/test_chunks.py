"""Long texts learnt chunk by chunk, the encoder's state carried: truncated back-propagation through time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch.nn import functional as F

from seqpipe import cli
from seqpipe.config.recipe import Recipe, parse_recipe
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.loader import Batch, Carried, Share
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.generation.generate import generate
from seqpipe.pipeline import Pipeline
from seqpipe.training.find_rate import find_rate
from seqpipe.training.module import PipelineModule
from seqpipe.training.preparing import prepare_training
from seqpipe.training.train import train

SameWeights = Callable[[Path, Path], bool]
TEXT = "the cat sat on the mat and the dog sat on the log. " * 8
CLASSIFIER: dict[str, Any] = {"stage": "ClassifierHead"}


def recipe(root: Path, pipeline: Any = None, **training: Any) -> Recipe:
    tree = {
        "data": {"root": str(root), "format": "text", "train": "train", "dev": "dev.txt", "input": "text"},
        "pipeline": {
            "features": [{"stage": "Tokens", "units": "characters"}, {"stage": "Embedding", "size": 12}],
            "encoder": {
                "stage": "RecurrentEncoder",
                **{"bidirectional": False, "hidden_size": 24, "layers": 2, "dropout": 0.1},
                "dropout_kind": "variational",
            },
            "head": {"stage": "LanguageModelHead", "dropout": 0.1},
            **(pipeline or {}),
        },
        "training": {
            **{"epochs": 3, "chunk_steps": 16, "streams": 4, "learning_rate": 0.01, "workers": 0, "threads": 1},
            **{"device": "cpu", "report": False, "checkpoint_minutes": 0, "loggers": ["csv"]},
            **training,
        },
    }
    return parse_recipe(tree, "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two documents to learn from, one shorter than a chunk, and one to score."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "train").mkdir()
    (folder / "train" / "a.txt").write_text(TEXT)
    (folder / "train" / "b.txt").write_text("the dog.")
    (folder / "dev.txt").write_text("the dog sat on the mat. the cat sat on the log.")
    return folder


class Killed(BaseException):
    """Ends a training as a kill would."""


class Trace(lightning.Callback):
    """Notes the texts and states that each batch begins with, and ends training if it is told to."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.seen: dict[tuple[int, int], tuple[list[int], Carried, float]] = {}

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, index: int) -> None:
        if len(self.seen) == self.last:
            raise Killed
        state = sum(float(part.abs().sum()) for part in module.carried.states)
        self.seen[trainer.current_epoch, index] = (batch.inputs.values.flatten().tolist(), batch.carried, state)


def test_a_training_killed_at_any_step_ends_with_the_same_bits(
    root: Path, same_weights: SameWeights, tmp_path: Path
) -> None:
    whole = Trace()
    expected = train(recipe(root), tmp_path / "whole", quiet=True, callbacks=[whole])
    steps = len(whole.seen)
    assert steps >= 12
    first_epoch = sum(epoch == 0 for epoch, _ in whole.seen)
    assert any(state > 0 for *_, state in whole.seen.values())
    for last in (2, first_epoch, steps - 2):
        before, after, out = Trace(last), Trace(), tmp_path / str(last)
        with pytest.raises(Killed):
            train(recipe(root), out, quiet=True, callbacks=[before])
        metrics = train(recipe(root), out, quiet=True, resume=True, callbacks=[after])
        assert before.seen | after.seen == whole.seen  # the states too
        assert same_weights(out, tmp_path / "whole")
        assert metrics["dev"] == expected["dev"]


def test_what_is_learnt_generates_and_scores_the_whole_of_dev_once(root: Path, tmp_path: Path) -> None:
    metrics = train(recipe(root, epochs=15, learning_rate=0.02), tmp_path / "run", quiet=True)
    assert metrics["dev"]["bits_per_character"] < 2.5  # 18 signs alike have 4.2
    found = evaluate(tmp_path / "run")
    assert found.counts["rows"] == 1
    text = (root / "dev.txt").read_text()
    assert found.row_counts[0, found.metric.names.index("characters")] == len(text)
    assert found.scores["bits_per_character"] == pytest.approx(metrics["dev"]["bits_per_character"], rel=1e-4)
    assert generate(tmp_path / "run", "the ", temperature=0, max_units=3)[0].text in ("dog", "cat", "log", "mat")


def module_of(root: Path, **training: Any) -> PipelineModule:
    asked = recipe(
        root, {"encoder": {"stage": "RecurrentEncoder", "bidirectional": False, "hidden_size": 8}}, **training
    )
    pipeline = Pipeline(asked)
    pipeline.fit([Row("a", TEXT, TEXT)])
    return PipelineModule(pipeline, asked.training, [Row("a", TEXT, TEXT)], [], 0, lambda _: None)


@torch.no_grad()
def test_chunks_have_the_loss_of_one_pass_over_the_text(root: Path) -> None:
    module = module_of(root)
    pipeline = module.pipeline.eval()
    prepared, target = pipeline.features.prepare(TEXT, None), pipeline.head.encode_target(TEXT)
    whole, labels = pipeline.loss(_batch(prepared), [target])
    total = count = 0.0
    for start in range(0, len(prepared), 50):
        stop = min(len(prepared), start + 50)
        encoded = module.carried.encode(pipeline, _batch(prepared[start:stop]), Carried([2], [start == 0]))
        loss, some = pipeline.head.loss(encoded, [pipeline.head.target_of(target, start, stop)])
        total, count = total + float(loss), count + float(some)
    assert total == pytest.approx(float(whole), rel=1e-5)
    assert count == float(labels)


def _batch(prepared: torch.Tensor) -> PaddedSequence:
    return PaddedSequence.pad([prepared])


def test_the_gradient_ends_where_the_chunk_begins(root: Path) -> None:
    module = module_of(root)
    prepared = module.pipeline.features.prepare(TEXT, None)
    module.carried.encode(module.pipeline, _batch(prepared[:9]), Carried([0], [True]))
    assert all(not part.requires_grad for part in module.carried.states)


def test_a_stream_s_state_is_its_own(root: Path) -> None:
    module = module_of(root, streams=3)
    prepared = module.pipeline.features.prepare(TEXT, None)
    module.carried.encode(module.pipeline, _batch(prepared[:9]), Carried([1], [True]))
    norms = module.carried.states[0].norm(dim=1)
    assert (norms > 0).tolist() == [False, True, False]
    again = module.carried.encode(module.pipeline.eval(), _batch(prepared[:9]), Carried([1], [True]))
    assert torch.allclose(again.values, module.pipeline(_batch(prepared[:9])).values, atol=1e-6)


def test_what_is_not_finite_leaves_no_state_behind(root: Path) -> None:
    module = module_of(root)
    module.carried.states = [torch.full((4, 8), float("nan"))]
    module.carried.forget()
    encoded = module.carried.encode(
        module.pipeline.eval(), _batch(module.pipeline.features.prepare("the", None)), Carried([0], [False])
    )
    assert bool(torch.isfinite(F.relu(encoded.values)).all())


def test_batches_travel_with_what_is_carried(root: Path) -> None:
    module = module_of(root)
    batch = Batch(_batch(torch.tensor([1, 2])), [None], [0], [], Carried([0], [True]))
    assert module.transfer_batch_to_device(batch, torch.device("cpu"), 0).carried == batch.carried


def test_a_rate_test_goes_through_chunks_too(root: Path) -> None:
    found = find_rate(recipe(root), steps=30, highest=0.1, notice=lambda _: None)
    assert len(found.losses) > 10


REFUSED = {
    "another head": ({"head": CLASSIFIER}, {}, "training.chunk_steps: pipeline.head ClassifierHead learns whole rows"),
    "both ways": (
        {"head": CLASSIFIER, "encoder": {"stage": "RecurrentEncoder"}},
        {},
        "training.chunk_steps: pipeline.encoder should go one way",
    ),
    "mixup": ({}, {"mixup": 0.5}, "can't go with mixup"),
    "devices": ({}, {"devices": 2}, "set devices: 1"),
    "no steps": ({}, {"chunk_steps": 0}, "training.chunk_steps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_doesn_t_go_with_chunks_is_refused(case: str, root: Path, tmp_path: Path) -> None:
    parts, training, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message):
        train(recipe(root, parts, **training), tmp_path / "run", quiet=True, notice=lambda _: None)


def test_several_processes_are_refused(root: Path) -> None:
    asked = recipe(root)
    prepared = prepare_training(asked, None, lambda _: None)
    with pytest.raises(ConfigError, match="in one process; start it without torchrun"):
        prepared.loader(asked.training, lambda: 0, Share(0, 2))


def test_an_empty_document_ends_the_command_with_its_name(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "void.txt").write_text(" \n")
    asked = recipe(tmp_path)
    (tmp_path / "dev.txt").write_text("the")
    (tmp_path / "recipe.yaml").write_text(asked.dump())
    assert cli.main(["train", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]) == 1
    assert "void.txt" in capsys.readouterr().err
