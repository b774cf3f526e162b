"""Shared by all tests: recordings that a tiny model really learns, and a run trained on them by the real command."""

import fcntl
import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # before `datasets` is imported: no test reaches for the network

# Modules are compiled once, as on any user's machine, and not by every process that tests start: torch and lightning
# take 13 s to import where they have to be compiled, else 5. Where no files are wanted beside the sources, they go
# elsewhere.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode"))
    sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]

RATE = 8000
TONES = {" ": 250.0, "a": 500.0, "b": 1000.0, "c": 2000.0}  # hertz
TONE_SECONDS, GAP_SECONDS = 0.10, 0.04

RECIPE = """
data: {train: train.tsv, dev: dev.tsv, id: name}
pipeline:
  features:
    - {stage: Waveform, sample_rate: 8000}
    - {stage: Gain, probability: 0.5}
    - {stage: LogMel, n_mels: 12, window_seconds: 0.04, hop_seconds: 0.02, floor: 1.0e-4}
    - {stage: Normalization, over: utterance}
    - {stage: SpecAugment, time_width: 1, feature_width: 1}
  frontend: {stage: Conv1dFrontEnd, channels: [24], kernels: [3], strides: [1]}
  encoder: {stage: RecurrentEncoder, hidden_size: 24, layers: 1}
  head: {stage: CTCHead}
training:
  {epochs: 10, batch_steps: 200, learning_rate: 0.03, workers: 0, threads: 1, evaluate_every: 2, device: cpu}
"""


def tone_samples(text: str, seed: int) -> np.ndarray:
    """A text as tones ``[S]``: each character one of its own, with silence around it and some noise."""
    generator = np.random.default_rng(seed)
    pieces = [np.zeros(round(RATE * generator.uniform(0.02, 0.1)))]
    for sign in text:
        length = round(RATE * TONE_SECONDS * generator.uniform(0.8, 1.2))
        hertz = TONES[sign] * generator.uniform(0.97, 1.03)
        pieces += [0.3 * np.sin(2 * np.pi * hertz / RATE * np.arange(length)), np.zeros(round(RATE * GAP_SECONDS))]
    samples = np.concatenate(pieces)
    return (samples + 0.003 * generator.standard_normal(len(samples))).astype(np.float32)


def write_tone_rows(folder: Path, name: str, texts: list[str], seed: int) -> None:
    """Recordings of the texts below ``folder / name``, and their manifest ``NAME.tsv``."""
    (folder / name).mkdir(parents=True)
    lines = ["path\tname\ttext"]
    for number, text in enumerate(texts):
        path = f"{name}/{number:03d}.wav"
        soundfile.write(folder / path, tone_samples(text, seed + number), RATE)
        lines.append(f"{path}\t{name}-{number:03d}\t{text}")
    (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def tone_texts(count: int, seed: int) -> list[str]:
    """Texts of one to three words of one to three letters."""
    generator = np.random.default_rng(seed)
    words = [["".join(generator.choice(list("abc"), generator.integers(1, 4))) for _ in range(3)] for _ in range(count)]
    return [" ".join(row[: generator.integers(1, 4)]) for row in words]


def pytest_collection_finish() -> None:
    """What is loaded by now stays: collections of garbage needn't go through it again, which takes 0.3 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def speak() -> Callable[[str, int], np.ndarray]:
    """Tones of a text, ``[S]`` at 8000 hertz: ``speak("ab c", seed)``."""
    return tone_samples


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A folder that all workers of a run share, filled by the first that asks for it: ``made_once("tones", fill)``.

    Read only: tests share it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = shared / f"shared-{name}"
        with (shared / f".{name}.lock").open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            if not (shared / f".{name}.done").exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                folder.mkdir()
                fill(folder)
                (shared / f".{name}.done").touch()
        return folder

    return make


MakeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def tone_data(made_once: MakeOnce) -> Path:
    """A folder with train.tsv (80 recordings; few.tsv has 24 of them), dev.tsv (16) and tones.yaml.

    Read only: tests share it.
    """

    def fill(folder: Path) -> None:
        write_tone_rows(folder, "train", tone_texts(80, 1), seed=1000)
        write_tone_rows(folder, "dev", tone_texts(16, 2), seed=5000)
        few = (folder / "train.tsv").read_text().splitlines(keepends=True)[:25]
        (folder / "few.tsv").write_text("".join(few))
        (folder / "tones.yaml").write_text(RECIPE)

    return made_once("tones", fill)


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def command_environment() -> dict[str, str]:
    """What commands run under."""
    return dict(os.environ)


@pytest.fixture(scope="session")
def seqpipe_command(command_environment: dict[str, str]) -> Command:
    """The installed command in a process of its own: ``seqpipe_command("infer", run, ..., cwd=folder, input=text)``."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        program = [str(Path(sys.executable).with_name("seqpipe")), *map(str, arguments)]
        settings = {"capture_output": True, "text": True, "timeout": 500, "env": command_environment, **options}
        return subprocess.run(program, check=False, **settings)  # type: ignore[call-overload]

    return run


@pytest.fixture(scope="session")
def training_command(
    tone_data: Path, made_once: MakeOnce, seqpipe_command: Command
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A finished ``seqpipe train`` of the tones: its run directory, and what it said. Read only: tests share it."""

    def fill(folder: Path) -> None:
        done = seqpipe_command("train", tone_data / "tones.yaml", "--out", folder / "tones")
        assert done.returncode == 0, done.stderr
        said = {"args": list(map(str, done.args)), "stdout": done.stdout, "stderr": done.stderr}
        (folder / "said.json").write_text(json.dumps(said))

    folder = made_once("training", fill)
    return folder / "tones", subprocess.CompletedProcess(returncode=0, **json.loads((folder / "said.json").read_text()))


@pytest.fixture(scope="session")
def trained_run(training_command: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """The run directory of a model that knows the tones. Read only: tests share it."""
    return training_command[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little space: the kernel's own "no space left"."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", folder], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no right to mount a file system; a limit on the size of files is tested everywhere")
    yield folder
    subprocess.run(["umount", folder], check=True)


# Other work may share the machine: an example that is slow once is no failure.
settings.register_profile("seqpipe", deadline=None, max_examples=40)
settings.load_profile("seqpipe")
