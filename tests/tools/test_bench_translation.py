"""tools/bench_translation.py, run as a user runs it, for what it says beside the times."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_translation.py"
HAS_JOEYNMT = importlib.util.find_spec("joeynmt") is not None
NUMBERS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder like Multi30k's."""
    lines = [(f"{a} and {b}", f"{NUMBERS[a]} und {NUMBERS[b]}") for a in NUMBERS for b in NUMBERS]
    for part in ("train", "dev"):
        for side, ending in enumerate(("en", "de")):
            (tmp_path / f"{part}.{ending}").write_text("".join(f"{pair[side]}\n" for pair in lines), encoding="utf-8")
    return tmp_path


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    fixed = ["--data", str(folder), "--threads", "1", "--vocabulary", "26", "--batch", "4", "--batches", "2"]
    command = [sys.executable, str(SCRIPT), *fixed, "--rounds", "1", "--dev-sentences", "6", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_one_side_needs_no_joeynmt(pairs: Path) -> None:
    done = bench(pairs, "--sides", "fp32", "--sizes", "2,6")
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    cells = {line[0]: line[1] for line in lines if len(line) > 1}
    assert float(cells["training, tokens a second, similar lengths"]) > 0
    fastest = max(float(cells["... in batches of 2"]), float(cells["... in batches of 6"]))
    assert float(cells["translation, beam 5, sentences a second"]) == pytest.approx(fastest)
    assert cells["units"] == "27"  # and the end
    assert "2 batches of 4 pairs, 6 sentences of dev" in done.stdout


@pytest.mark.skipif(HAS_JOEYNMT, reason="joeynmt is installed here")
def test_what_has_no_joeynmt_is_told(pairs: Path) -> None:
    done = bench(pairs, "--sides", "joeynmt,fp32")
    assert done.returncode == 1
    assert "--joey-python names a Python that has joeynmt" in done.stderr


def test_an_unknown_side_is_named(pairs: Path) -> None:
    done = bench(pairs, "--sides", "fp32,moses")
    assert done.returncode == 2
    assert "moses is none of joeynmt" in done.stderr
