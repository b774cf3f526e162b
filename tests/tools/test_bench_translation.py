"""tools/bench_translation.py, run as a user runs it, for what it says beside the times."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

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
    sizes = {"vocabulary": 26, "batch": 4, "batches": 2, "training-batches": 3, "rounds": 1, "dev-sentences": 6}
    sizes["threads"] = 1
    fixed = [f"--{name}={value}" for name, value in sizes.items()]
    command = [sys.executable, str(SCRIPT), "--data", str(folder), *fixed, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_seqpipes_sides_need_no_joeynmt(pairs: Path) -> None:
    done = bench(pairs, "--sides", "fp32,bf16", "--sizes", "2,6")
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    cells = {line[0]: line[1] for line in lines if len(line) > 1}
    assert float(cells["training, tokens a second, similar lengths"]) > 0
    fastest = max(float(cells["... in batches of 2"]), float(cells["... in batches of 6"]))
    assert float(cells["translation, beam 5, sentences a second"]) == pytest.approx(fastest)
    assert 8 < float(cells["units"]) < 27  # those of English aren't written
    assert cells["same texts as the first, %"] == "100"
    assert "2 batches of 4 pairs, 6 sentences of dev" in done.stdout


@pytest.mark.skipif(HAS_JOEYNMT, reason="joeynmt is installed here")
def test_what_has_no_joeynmt_is_told(pairs: Path) -> None:
    done = bench(pairs, "--sides", "joeynmt,fp32")
    assert done.returncode == 1
    assert "--joey-python names a Python that has joeynmt" in done.stderr


def test_joeynmt_alone_has_nobody_to_learn_from(pairs: Path) -> None:
    done = bench(pairs, "--sides", "joeynmt,feeding")
    assert done.returncode == 2
    assert "needs one of seqpipe's" in done.stderr


def test_an_unknown_side_is_named(pairs: Path) -> None:
    done = bench(pairs, "--sides", "fp32,moses")
    assert done.returncode == 2
    assert "moses is none of joeynmt" in done.stderr
