"""tools/bench_handwriting.py, run as a user runs it, for what it says beside the times."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_handwriting.py"
HAS_KRAKEN = importlib.util.find_spec("kraken") is not None


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A folder as tools/prepare_peraire.py makes it: 12 lines to train, 6 of dev, of strokes at drawn places."""
    draw = np.random.default_rng(1)
    for part, count in (("train", 12), ("dev", 6)):
        rows = ["path\ttext"]
        for number in range(count):
            pixels = np.full((64, 200 + 20 * number), 255, np.uint8)
            for place in draw.integers(10, pixels.shape[1] - 10, 8):
                pixels[12:52, place : place + 4] = 0
            Image.fromarray(pixels).save(tmp_path / f"{part}{number}.png")
            rows.append(f"{part}{number}.png\t{'ab' * (1 + number % 3)}")
        (tmp_path / f"{part}.tsv").write_text("\n".join(rows) + "\n")
    return tmp_path


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def short(lines: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return bench("--lines", str(lines), "--batch", "4", "--batches", "2", "--rounds", "1", *arguments)


def test_one_side_needs_no_kraken(lines: Path) -> None:
    done = short(lines, "--sides", "fp32")
    assert done.returncode == 0, done.stderr
    assert "3 labels on every side; 8 lines in batches of 4, 6 lines of dev" in done.stdout  # a, b and the blank
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if "a second" in line]
    assert [title.strip() for title, *_ in rows] == [
        "training, lines a second, one line at a time",
        "training, lines a second, mixed widths",
        "training, lines a second, similar widths",
        "recognition, lines a second",
    ]
    assert all(float(rate) > 0 for _, rate, _ in rows)


@pytest.mark.skipif(HAS_KRAKEN, reason="Kraken is installed here")
def test_what_has_no_kraken_is_told(lines: Path) -> None:
    done = short(lines, "--sides", "kraken,fp32")
    assert done.returncode == 1
    assert "--kraken-python names a Python that has kraken" in done.stderr


@pytest.mark.skipif(not HAS_KRAKEN, reason="Kraken is not installed here")
def test_both_sides_have_the_same_task(lines: Path) -> None:
    done = short(lines, "--sides", "kraken,fp32")
    assert done.returncode == 0, done.stderr  # labels that differ end it
    cells = next(line.strip("|").split("|") for line in done.stdout.splitlines() if "parameters" in line)
    assert float(cells[1]) == pytest.approx(float(cells[2]), rel=0.02)


@pytest.mark.parametrize(("option", "value"), [("--batch", "0"), ("--rounds", "none"), ("--sides", "fp32,calamari")])
def test_wrong_options_are_named(option: str, value: str) -> None:
    done = bench(option, value)
    assert done.returncode == 2
    assert option in done.stderr
    assert value.split(",")[-1] in done.stderr
