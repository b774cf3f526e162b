"""tools/bench_recipe.py, run as a user runs it, for what it says beside the times."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_recipe.py"
HAS_SPEECHBRAIN = importlib.util.find_spec("speechbrain") is not None
CONV2D = "pipeline.frontend={stage: Conv2dFrontEnd, channels: [4, 4], strides: [[2, 2], [1, 2]]}"


def bench(tone_data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(tone_data / "tones.yaml"), CONV2D, "data.train=few.tsv", *arguments]
    command += ["--repeats", "1", "--threads", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def table(output: str) -> dict[str, list[str]]:
    """Cells of the table's lines by their title."""
    lines = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines}


def test_one_side_needs_no_speechbrain(tone_data: Path) -> None:
    done = bench(tone_data, "--sides", "seqpipe", "--batches", "1")
    assert done.returncode == 0, done.stderr
    cells = table(done.stdout)
    assert "1 batches" in done.stdout
    assert float(cells["training, seconds of audio a second"][0]) > 0
    assert float(cells["inference, the same batches"][0]) > 0


@pytest.mark.skipif(not HAS_SPEECHBRAIN, reason="SpeechBrain is not installed (the extra `bench`)")
def test_the_same_layers_do_the_same_work(tone_data: Path) -> None:
    # Many frames and few rows, so that what seqpipe adds by rounding shapes up is little.
    frames = ["pipeline.features.LogMel.hop_seconds=0.005", "training.batch_steps=2000", "training.batch_rows=8"]
    done = bench(tone_data, *frames, "--sides", "seqpipe,layers,crdnn", "--batches", "1")
    assert done.returncode == 0, done.stderr
    ours, layers, _, crdnn, _ = (
        float(cell) for cell in table(done.stdout)["multiplications, millions a second of audio"]
    )
    assert layers == pytest.approx(ours, rel=0.15)
    assert crdnn > layers  # two convolutions a block, before the pooling


def test_other_stages_have_no_counterpart(tone_data: Path) -> None:
    if not HAS_SPEECHBRAIN:
        done = bench(tone_data, "--sides", "seqpipe,crdnn")
        assert done.returncode == 2
        assert "uv pip install -e '.[bench]'" in done.stderr
    else:
        done = bench(tone_data, "--sides", "crdnn", "pipeline.frontend={stage: Conv1dFrontEnd}")
        assert done.returncode == 1
        assert "crdnn: a CRDNN can have the shape of LogMel, Conv2dFrontEnd" in done.stderr


@pytest.mark.parametrize(("option", "value"), [("--batches", "0"), ("--sides", "seqpipe,espnet")])
def test_wrong_options_are_named(tone_data: Path, option: str, value: str) -> None:
    done = bench(tone_data, option, value)
    assert done.returncode == 2
    assert option in done.stderr
    assert value.split(",")[-1] in done.stderr
