"""What a recipe can ask of a training, seen in the model that comes out."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import soundfile
import torch

from seqpipe.core.feature import Feature
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError, RunError, SeqpipeError
from seqpipe.pipeline import Pipeline

TrainTones = Callable[..., dict[str, Any]]
SameWeights = Callable[[Path, Path], bool]

# Nothing random, and no statistics over a batch: what is left depends on the rows of a step alone.
PLAIN = [
    "pipeline.features=[{stage: Waveform, sample_rate: 8000}, "
    "{stage: LogMel, n_mels: 12, window_seconds: 0.04, hop_seconds: 0.02}, {stage: Normalization, over: utterance}]",
    "pipeline.frontend.normalization=none",
]


def weights(run: Path, stage: str = "") -> dict[str, torch.Tensor]:
    """Of a run, of one stage if it is named."""
    state = Pipeline.load(run).state_dict()
    return {name: value for name, value in state.items() if name.startswith(stage)}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


class Weights(lightning.Callback):
    """Notes the weights after every step and epoch."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []
        self.epochs: list[dict[str, torch.Tensor]] = []

    def copy(self, module: Any) -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in module.pipeline.state_dict().items()}

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        self.steps.append(self.copy(module))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.epochs.append(self.copy(module))


def test_accumulated_batches_are_one_batch(train_tones: TrainTones, tmp_path: Path) -> None:
    once = ["training.epochs=1", "training.schedule=constant", "training.batch_steps=100000", "training.clip_norm=null"]
    sgd = ["training.optimizer=sgd", "training.learning_rate=0.01", "training.momentum=0"]
    whole = train_tones(tmp_path / "whole", *PLAIN, *once, *sgd)
    parts = train_tones(tmp_path / "parts", *PLAIN, *once, *sgd, "training.batch_rows=7", "training.accumulate=4")
    assert (whole["steps"], parts["steps"]) == (1, 1)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=2e-6, rtol=1e-5)


def test_the_moving_average_is_that_of_the_weights_of_all_steps(train_tones: TrainTones, tmp_path: Path) -> None:
    seen = Weights()
    train_tones(tmp_path / "run", "training.average=ema", "training.ema_decay=0.8", callbacks=[seen])
    average = seen.steps[0]
    for count, step in enumerate(seen.steps[1:], start=1):
        decay = min(0.8, (1 + count) / (10 + count))
        average = {name: decay * value + (1 - decay) * step[name] for name, value in average.items()}
    for name, value in weights(tmp_path / "run").items():
        torch.testing.assert_close(value, average[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("every", [1, 3])
def test_the_mean_of_the_last_epochs(every: int, train_tones: TrainTones, tmp_path: Path) -> None:
    seen = Weights()
    options = ["training.average=last", "training.average_epochs=3", f"training.evaluate_every={every}"]
    metrics = train_tones(tmp_path / "run", "training.epochs=4", *options, callbacks=[seen])
    for name, value in weights(tmp_path / "run").items():
        mean = torch.stack([epoch[name] for epoch in seen.epochs[1:]]).mean(0)
        torch.testing.assert_close(value, mean, atol=1e-5, rtol=1e-4)
    import seqpipe

    assert metrics["dev"]["wer"] == pytest.approx(seqpipe.evaluate(tmp_path / "run", device="cpu").scores["wer"])


def test_training_starts_with_another_runs_weights_and_vocabulary(
    trained_run: Path, tone_data: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    shutil.copytree(tone_data, tmp_path / "data")
    rows = (tone_data / "train.tsv").read_text().splitlines()
    without_c = [line for line in rows if "c" not in line.rpartition("\t")[2] or line == rows[0]]
    (tmp_path / "data" / "few.tsv").write_text("\n".join(without_c) + "\n")
    still = ["training.learning_rate=1e-12", f"data.root={tmp_path}/data", "training.epochs=1"]
    train_tones(tmp_path / "run", *still, f"training.init_from={trained_run}", "training.freeze=[frontend]")
    before, after = Pipeline.load(trained_run), Pipeline.load(tmp_path / "run")
    assert [after.head.units.decode([index]) for index in range(4)] == [
        before.head.units.decode([index]) for index in range(4)
    ]
    for name, value in before.state_dict().items():
        torch.testing.assert_close(after.state_dict()[name], value, atol=1e-6, rtol=1e-5)


def test_stages_can_be_taken_one_by_one_and_held_still(
    trained_run: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    taken = [
        f"training.init_from={trained_run}",
        "training.init_stages=[encoder, frontend]",
        "training.learning_rate=0.01",
    ]
    train_tones(tmp_path / "held", *taken, "training.freeze=[encoder, frontend]")
    assert equal(weights(tmp_path / "held", "encoder"), weights(trained_run, "encoder"))
    assert equal(weights(tmp_path / "held", "frontend"), weights(trained_run, "frontend"))  # statistics too
    assert not equal(weights(tmp_path / "held", "head"), weights(trained_run, "head"))
    train_tones(tmp_path / "let go", *taken, "training.freeze=[encoder, frontend]", "training.unfreeze_at=1")
    assert not equal(weights(tmp_path / "let go", "encoder"), weights(trained_run, "encoder"))
    seen = Weights()
    train_tones(tmp_path / "again", *taken, "training.freeze=[encoder]", "training.unfreeze_at=1", callbacks=[seen])
    first, second = ({n: v for n, v in epoch.items() if n.startswith("encoder")} for epoch in seen.epochs)
    assert equal(first, weights(trained_run, "encoder"))
    assert not equal(second, first)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pipeline.encoder.hidden_size=16"], r"training\.init_from: encoder\.\S+ is \[.*\] in .*, and \[.*\] in this"),
        (["pipeline.frontend=null", "training.init_stages=[frontend]"], r"frontend is missing from this recipe"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    overrides: list[str], message: str, trained_run: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=message):
        train_tones(tmp_path / "run", f"training.init_from={trained_run}", *overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.init_from=nowhere"], r"nowhere is no run directory"),
        (["training.init_stages=[encoder]"], r"which is not given"),
        (["training.freeze=[decoder]"], r"training\.freeze"),
        (["training.unfreeze_at=2"], r"which names none"),
        (["training.average=last", "training.stop_after=2"], r"take ema"),
        (["training.precision=fp16"], r"fp16 needs a GPU"),
        (["pipeline.frontend=null", "training.freeze=[frontend]"], r"training\.freeze: frontend is not in this recipe"),
    ],
)
def test_what_can_not_be_is_told(overrides: list[str], message: str, train_tones: TrainTones, tmp_path: Path) -> None:
    with pytest.raises(SeqpipeError, match=message):
        train_tones(tmp_path / "run", *overrides)


class Overflow(Feature):
    """Makes of a loud recording one whose power is not finite."""

    def __init__(self) -> None:
        super().__init__()
        self.output_size = 1

    def prepare(self, raw: torch.Tensor, key: RowKey | None) -> torch.Tensor:
        return raw * 1e25 if raw.abs().max() > 1e6 else raw


@pytest.fixture
def exploding(tone_data: Path, tmp_path: Path) -> Path:
    """Rows of which one overflows on its way to the model (`Overflow`)."""
    folder = Path(shutil.copytree(tone_data, tmp_path / "data"))
    soundfile.write(folder / "loud.wav", 1e8 * np.sin(np.arange(8000)), 8000, subtype="FLOAT")
    with (folder / "few.tsv").open("a") as file:
        file.write("loud.wav\tloud\tab\n")
    return folder


def test_a_loss_that_is_not_finite_names_its_row_and_skips_the_step(
    exploding: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    notices: list[str] = []
    overrides = [f"data.root={exploding}", "pipeline.features.1=Overflow"]
    metrics = train_tones(tmp_path / "run", *overrides, notices=notices)
    assert metrics["skipped_steps"] == 2  # once an epoch
    said = [notice for notice in notices if "the loss is nan" in notice]
    assert len(said) == 2
    assert all(notice.endswith("few.tsv, row 25 (loud)") for notice in said)
    assert any("this step is skipped (2 of at most 10: training.max_bad_steps)" in notice for notice in notices)
    assert all(bool(torch.isfinite(value).all()) for value in weights(tmp_path / "run").values())
    with pytest.raises(SeqpipeError, match=r"1 steps had a loss .* training\.max_bad_steps allows 0"):
        train_tones(tmp_path / "strict", *overrides, "training.max_bad_steps=0")


def test_trying_the_largest_batch_leaves_no_trace(
    train_tones: TrainTones, same_weights: SameWeights, tmp_path: Path
) -> None:
    for name, value in (("with", "true"), ("without", "false")):
        train_tones(tmp_path / name, "pipeline.head.dropout=0.1", f"training.dry_run={value}")
    assert same_weights(tmp_path / "with", tmp_path / "without")


class Hungry(Feature):
    """Has memory for four rows."""

    def __init__(self) -> None:
        super().__init__()
        self.output_size = 12

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        if self.training and len(sequence.values) > 4:
            raise torch.OutOfMemoryError("tried to allocate 2.00 GiB")
        return sequence


def test_too_little_memory_is_told_before_the_first_step(train_tones: TrainTones, tmp_path: Path) -> None:
    seen = Weights()
    hungry = [*PLAIN, "pipeline.features.2=Hungry"]
    message = (
        r"the largest batch doesn't fit into memory: \d+ rows of at most \d+ samples\n"
        r"  .*few\.tsv, row \d+ \(train-\d+\): \d\.\d+ seconds\n(.*\n)+"
        r"lower training\.batch_steps \(now 200\).*\n\(tried to allocate 2\.00 GiB\)"
    )
    with pytest.raises(RunError, match=message):
        train_tones(tmp_path / "run", *hungry, callbacks=[seen])
    assert seen.steps == []
    assert train_tones(tmp_path / "small", *hungry, "training.batch_rows=4")["epochs"] == 2


def test_tensorboard_holds_what_the_table_holds(train_tones: TrainTones, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_tones(tmp_path / "run", "training.batch_steps=50")
    found = EventAccumulator(str(tmp_path / "run" / "log" / "tensorboard")).Reload()
    assert {"loss", "lr", "grad_norm", "train_loss", "dev_wer"} <= set(found.Tags()["scalars"])
    assert [event.step for event in found.Scalars("train_loss")] == sorted({e.step for e in found.Scalars("dev_wer")})
    train_tones(tmp_path / "less", "training.loggers=[csv]")
    assert not (tmp_path / "less" / "log" / "tensorboard").exists()
    assert (tmp_path / "less" / "log" / "metrics.csv").is_file()


def test_a_logger_that_is_not_installed_is_named(train_tones: TrainTones, tmp_path: Path) -> None:
    try:
        import wandb  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(ConfigError, match=r"training\.loggers: wandb needs .* pip install 'seqpipe\[loggers\]'"):
            train_tones(tmp_path / "run", "training.loggers=[wandb]")
    else:
        pytest.skip("wandb is installed")


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(train_tones: TrainTones, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="the extra loggers is not installed")

    class Stop(lightning.Callback):
        def on_train_epoch_start(self, trainer: lightning.Trainer, module: Any) -> None:
            if trainer.current_epoch == 1:
                raise SystemError

    options = ["training.loggers=[mlflow]", "training.epochs=3"]
    with pytest.raises(SystemError):
        train_tones(tmp_path / "run", *options, callbacks=[Stop()])
    train_tones(tmp_path / "run", *options, resume=True)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/run/log/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("seqpipe").experiment_id])
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 3
