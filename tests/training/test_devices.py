"""Two processes on a CPU do what one does."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seqpipe.pipeline import Pipeline

pytestmark = pytest.mark.slow

Command = Callable[..., subprocess.CompletedProcess[str]]

# Nothing that a process draws for its own share; batch normalisation, several rows a batch and, in places, only one.
OVERRIDES = [
    "data.train=few.tsv",
    "training.epochs=5",
    "training.evaluate_every=2",
    "training.batch_steps=100",
    # Adam would make much of the rounding of gradients that are nearly nothing.
    "training.optimizer=sgd",
    "training.learning_rate=0.05",
    "training.accumulate=2",
    "training.checkpoint_minutes=0",
    "training.report=false",
    "pipeline.features=[{stage: Waveform, sample_rate: 8000}, {stage: SpeedPerturbation, factors: [0.9, 1.0]}, "
    "{stage: LogMel, n_mels: 12, window_seconds: 0.04, hop_seconds: 0.02}, {stage: Normalization, over: utterance}]",
]

SCRIPT = """
import json, os, sys
import lightning
import seqpipe

class Trace(lightning.Callback):
    def __init__(self): self.seen = []
    def on_train_batch_start(self, trainer, module, batch, index):
        self.seen.append([trainer.current_epoch, index, [module.rows[row].id for row in batch.rows]])

if __name__ == "__main__":
    recipe, out, *overrides = sys.argv[1:]
    trace = Trace()
    seqpipe.train(seqpipe.load_recipe(recipe, overrides), out, quiet=True, callbacks=[trace])
    with open(f"{out}/rows-{os.environ.get('RANK', 'alone')}.json", "w") as file:
        json.dump(trace.seen, file)
"""


@pytest.fixture(scope="module")
def runs(tone_data: Path, tmp_path_factory: pytest.TempPathFactory, command_environment: dict[str, str]) -> Path:
    """A folder with two runs of the same recipe: ``alone``, and ``torchrun`` by two processes."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "script.py").write_text(SCRIPT)
    starters = {"alone": [], "torchrun": ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]}
    for name, starter in starters.items():
        command = [sys.executable, *starter, "script.py", str(tone_data / "tones.yaml"), name, *OVERRIDES]
        done = subprocess.run(
            command, cwd=folder, env=command_environment, capture_output=True, text=True, timeout=150, check=False
        )
        assert done.returncode == 0, done.stderr
    return folder


def largest_difference(one: Path, other: Path) -> float:
    first, second = Pipeline.load(one).state_dict(), Pipeline.load(other).state_dict()
    return max(float((first[name] - second[name]).abs().max() / first[name].abs().max().clamp(min=1)) for name in first)


def test_the_model_is_that_of_one_process_with_the_same_batches(runs: Path) -> None:
    # Sums in another order: 2e-5 with AVX-512, 8e-4 with AVX2; adaptive steps enlarge rounding where gradients are
    # nearly 0.
    bound = 2e-5 if torch.backends.cpu.get_cpu_capability().startswith("AVX512") else 2e-3
    assert largest_difference(runs / "alone", runs / "torchrun") < bound
    alone, both = (json.loads((runs / name / "metrics.json").read_text()) for name in ("alone", "torchrun"))
    assert (alone["processes"], both["processes"]) == (1, 2)
    assert alone["dev"] == pytest.approx(both["dev"], abs=1e-3)
    for name in ("steps", "rows", "data"):
        assert alone[name] == both[name]


def test_each_row_is_seen_once_by_one_of_them(runs: Path) -> None:
    alone = json.loads((runs / "alone" / "rows-alone.json").read_text())
    parts = [json.loads((runs / "torchrun" / f"rows-{rank}.json").read_text()) for rank in (0, 1)]
    assert [batch[:2] for batch in parts[0]] == [batch[:2] for batch in parts[1]] == [batch[:2] for batch in alone]
    shares = [
        (sorted(whole), sorted(one + other))
        for (_, _, whole), (_, _, one), (_, _, other) in zip(alone, *parts, strict=True)
    ]
    assert all(whole == both for whole, both in shares)
    assert min(len(whole) for whole, _ in shares) == 1  # where the second process has nothing to do


def test_the_command_starts_them_and_goes_on_after_a_signal(
    runs: Path, tone_data: Path, command_environment: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = [str(Path(sys.executable).with_name("seqpipe")), "train", str(tone_data / "tones.yaml"), "--out", str(out)]
    options = [*OVERRIDES, "training.devices=2"]
    process = subprocess.Popen([*words, *options], stderr=subprocess.PIPE, text=True, env=command_environment)
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith("epoch 1/5"):
            process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=100) == 1, said
    process.stderr.close()
    assert "interrupted; go on with: " in said
    assert not (out / "metrics.json").exists()
    done = subprocess.run(
        [*words, *options, "--resume"],
        env=command_environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert largest_difference(out, runs / "torchrun") == 0


def test_a_mistake_in_one_of_them_is_told_as_in_one(tone_data: Path, seqpipe_command: Command, tmp_path: Path) -> None:
    words = ["train", tone_data / "tones.yaml", "--out", tmp_path / "run", "training.devices=2", "data.train=none.tsv"]
    done = seqpipe_command(*words)
    assert done.returncode == 1
    assert "none.tsv: there is no such file" in done.stderr
    assert "Traceback" not in done.stderr.partition("seqpipe train: ")[2]
