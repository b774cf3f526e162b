"""Word vectors from a file, through training, resuming and answering; the file is needed once."""

import shutil
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor

from seqpipe.checks.check import check
from seqpipe.config.recipe import load_recipe
from seqpipe.inference.predictor import Predictor
from seqpipe.pipeline import Pipeline
from seqpipe.training.train import train

ROWS = ["good fun\tyes", "so bad\tno", "a good film\tyes", "bad bad film\tno", "fun\tyes", "what a bore\tno"] * 4
VECTORS = "Good 0.5 0.25 -0.5 1.0\nbad -0.5 0.5 0.75 0.125\nfilm 0.1 0.2 0.3 0.4\nelsewhere 1 2 3 4\n"
RECIPE = """
data: {train: train.tsv, dev: train.tsv, input: text, target: label}
pipeline:
  features:
    - {stage: Tokens, text: [lowercase]}
    - stage: Concatenation
      stages: [{stage: Embedding, size: 4, vectors: %s, tuned: false}, {stage: Embedding, size: 3}]
  head: {stage: ClassifierHead}
training:
  {epochs: 3, batch_steps: 20, learning_rate: 0.05, workers: 0, threads: 1, device: cpu, report: false, loggers: [csv],
   checkpoint_minutes: 0}
"""
FROZEN = "features.stages.1.parts.0.weight"
FREE = "features.stages.1.parts.1.weight"


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    """A folder with rows, vectors and a recipe that freezes them."""
    (tmp_path / "train.tsv").write_text("text\tlabel\n" + "\n".join(ROWS) + "\n")
    (tmp_path / "vectors.txt").write_text(VECTORS)
    (tmp_path / "moods.yaml").write_text(RECIPE % (tmp_path / "vectors.txt"))
    return tmp_path


def run(folder: Path, out: str, *overrides: str, **options: Any) -> list[str]:
    notices: list[str] = []
    train(load_recipe(folder / "moods.yaml", overrides), folder / out, quiet=True, notice=notices.append, **options)
    return notices


def weights(folder: Path, out: str) -> dict[str, Tensor]:
    return Pipeline.load(folder / out).state_dict()


class Killed(BaseException):
    """Ends a training as a kill would."""


class Kill(lightning.Callback):
    """Ends a training in its second epoch; notes the weights that it begins with."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.start: dict[str, Tensor] = {}

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, *_: Any) -> None:
        self.start = self.start or {name: value.clone() for name, value in module.pipeline.state_dict().items()}
        if self.at_once or trainer.current_epoch == 1:
            raise Killed


CRAFT = {
    "decay and penalties": ["training.weight_decay=0.5", "training.l1=0.1", "training.l2=0.5"],
    "moving average": ["training.average=ema", "training.ema_decay=0.5"],
    "mean of the last": ["training.average=last", "training.average_epochs=2"],
    "features let go": ["training.freeze=[features]", "training.unfreeze_at=1", "training.l2=0.5"],
    "sgd": ["training.optimizer=sgd", "training.weight_decay=0.5", "training.learning_rate=0.1"],
}


@pytest.mark.parametrize("craft", CRAFT)
def test_frozen_vectors_stay_bit_for_bit_through_a_kill_and_a_resume(craft: str, moods: Path) -> None:
    kill = Kill()
    with pytest.raises(Killed):
        run(moods, "run", *CRAFT[craft], callbacks=[kill])
    (moods / "vectors.txt").unlink()
    run(moods, "run", *CRAFT[craft], resume=True)
    end = weights(moods, "run")
    assert torch.equal(end[FROZEN], kill.start[FROZEN])
    assert not torch.equal(end[FREE], kill.start[FREE])
    assert [0.5, 0.25, -0.5, 1.0] in end[FROZEN].tolist()


def test_tuned_vectors_learn_from_where_the_file_puts_them(moods: Path) -> None:
    kill = Kill()
    with pytest.raises(Killed):
        run(moods, "run", "pipeline.features.1.stages.0.tuned=true", callbacks=[kill])
    assert [0.5, 0.25, -0.5, 1.0] in kill.start[FROZEN].tolist()
    run(moods, "run", "pipeline.features.1.stages.0.tuned=true", resume=True)
    assert not torch.equal(weights(moods, "run")[FROZEN], kill.start[FROZEN])


def test_the_run_directory_needs_no_file(moods: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run(moods, "run")
    before = [answer.to_json() for answer in Predictor(Pipeline.load(moods / "run")).predict(["good film", "bad"])]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.move(moods / "run", elsewhere / "run")
    (moods / "vectors.txt").unlink()
    after = [answer.to_json() for answer in Predictor(Pipeline.load(elsewhere / "run")).predict(["good film", "bad"])]
    assert before == after


def test_a_relative_path_is_one_from_where_the_command_runs(moods: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(moods)
    recipe = load_recipe("moods.yaml", ["pipeline.features.1.stages.0.vectors=vectors.txt"])
    again = moods / "resolved.yaml"
    again.write_text(recipe.dump())
    monkeypatch.chdir("/")
    assert load_recipe(again).dump() == recipe.dump()
    assert str(moods.resolve() / "vectors.txt") in recipe.dump()


def test_training_and_check_say_how_many_words_have_vectors(moods: Path) -> None:
    # of 14 tokens in 6 rows: good 2, bad 3, film 2
    line = f"{moods / 'vectors.txt'}: vectors for 3 of 8 words of the vocabulary (50.0 % of the training tokens)"
    assert run(moods, "run", "training.epochs=1")[0] == line
    findings = check(load_recipe(moods / "moods.yaml"))["train"]
    assert line in findings.report("train")
    assert findings.to_json()["summary"]["notices"] == [line]
