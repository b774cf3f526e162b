"""tools/bench_text.py, run as a user runs it, for what it says beside the times."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from seqpipe.config.recipe import Recipe
from seqpipe.data.rows import Row
from seqpipe.pipeline import Pipeline

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "bench_text.py"
HAS_FLAIR = importlib.util.find_spec("flair") is not None


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    """A folder like UD English EWT's: 40 sentences of three words, the last one of another tag in every second."""
    sentences = [
        f"the\tDET\tDT\ndog\tNOUN\tNN\nno{number}\t{'NUM' if number % 2 else 'VERB'}\tX\n" for number in range(40)
    ]
    for part in ("train", "dev"):
        (tmp_path / f"{part}.tsv").write_text("\n".join(sentences))
    return tmp_path


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def tagging(treebank: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return bench("--ewt", str(treebank), "--batches", "1", "--rounds", "1", "--dev-sentences", "10", *arguments)


def table(output: str) -> dict[str, list[str]]:
    """Cells of the table's lines by their title."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in output.splitlines() if line[:2] == "| "]
    return {line[0]: line[1:] for line in lines}


def test_one_side_needs_no_flair(treebank: Path) -> None:
    done = tagging(treebank, "--sides", "fp32", "--sizes", "4,8")
    assert done.returncode == 0, done.stderr
    # the, dog and no0 to no39, and the unknown one; the letters of the, dog, no and ten digits
    assert "43 words, 17 characters and 4 tags" in done.stdout
    assert "10 sentences of dev (30 words)" in done.stdout
    cells = table(done.stdout)
    rates = [cells[title] for title in cells if "sentences a second" in title or title.startswith("...")]
    assert len(rates) == 5
    assert all(float(rate) > 0 for rate, _ in rates)
    assert "right tags of dev after these steps: seqpipe " in done.stdout


@pytest.mark.skipif(HAS_FLAIR, reason="Flair is installed here")
def test_what_has_no_flair_is_told(treebank: Path) -> None:
    done = tagging(treebank, "--sides", "flair,fp32")
    assert done.returncode == 1
    assert "--flair-python names a Python that has flair" in done.stderr


@pytest.mark.skipif(not HAS_FLAIR, reason="Flair is not installed here")
def test_both_sides_have_the_same_task(treebank: Path) -> None:
    done = tagging(treebank, "--sides", "flair,fp32")
    assert done.returncode == 0, done.stderr  # sizes that differ end it
    theirs, ours, _ = table(done.stdout)["parameters, millions"]
    assert float(theirs) == pytest.approx(float(ours), rel=0.02)


def test_sentences_pass_the_command(tmp_path: Path) -> None:
    features = [{"stage": "Tokens"}, {"stage": "Embedding", "size": 4}]
    recipe = Recipe.model_validate({"pipeline": {"features": features, "head": {"stage": "ClassifierHead"}}})
    pipeline = Pipeline(recipe)
    pipeline.fit([Row("1", "a fine film", "good"), Row("2", "a dull film", "bad")])
    pipeline.save(tmp_path / "run")
    (tmp_path / "lines.txt").write_text("a film\n\nfine\n")
    arguments = ["--run", str(tmp_path / "run"), "--lines", str(tmp_path / "lines.txt"), "--counts", "3,40"]
    done = bench("--parts", "infer", *arguments)
    assert done.returncode == 0, done.stderr
    cells = table(done.stdout)
    assert list(cells) == ["sentences", "3", "40"]
    assert float(cells["40"][2]) > 100  # MB: of the process that computed, which has loaded torch


@pytest.mark.parametrize(("option", "value"), [("--parts", "crf"), ("--batches", "0"), ("--sides", "fp32,spacy")])
def test_wrong_options_are_named(option: str, value: str) -> None:
    done = bench(option, value)
    assert done.returncode == 2
    assert option in done.stderr
    assert value.split(",")[-1] in done.stderr


def test_the_command_needs_a_run_and_lines() -> None:
    done = bench("--parts", "infer")
    assert done.returncode == 2
    assert "--parts infer needs --run and --lines" in done.stderr
