import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqpipe
from seqpipe import cli
from seqpipe.config.recipe import load_recipe
from seqpipe.errors import ConfigError, DataError, RunError
from seqpipe.evaluation.experiments.crossval import crossval

SHORT = ["data.train=grouped.tsv", "training.epochs=1", "training.batch_steps=400", "training.report=false"]
Command = Callable[[list[object]], tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tone_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones with a column of speakers, a and b."""
    copy = Path(shutil.copytree(tone_data, tmp_path_factory.mktemp("grouped") / "tones"))
    header, *rows = (copy / "few.tsv").read_text().splitlines()
    lines = [f"{header}\tspeaker", *(f"{row}\t{'ab'[index % 2]}" for index, row in enumerate(rows))]
    (copy / "grouped.tsv").write_text("\n".join(lines) + "\n")
    return copy


def command(folder: Path, out: Path, *more: object) -> list[str]:
    arguments = ["crossval", folder / "tones.yaml", *SHORT, "--out", out, "--folds", 2, "--quiet", *more]
    return [str(argument) for argument in arguments]


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation by speaker, by the command. Read only: tests share it."""
    out = tmp_path_factory.mktemp("crossval") / "out"
    assert cli.main(command(folder, out, "--group", "speaker")) == 0
    return out


def test_each_fold_is_a_run_that_is_scored_on_the_rows_it_left_out(finished: Path, folder: Path) -> None:
    summary = json.loads((finished / "crossval.json").read_text())
    assert [fold["groups"] for fold in summary["results"]] == [["a"], ["b"]]
    for number, fold in enumerate(summary["results"], 1):
        run = finished / f"fold-{number}"
        assert fold["scores"] == json.loads((run / "metrics.json").read_text())["dev"]
        assert (fold["rows"]["train"], fold["rows"]["dev"]) == (12, 12)
        found = seqpipe.evaluate(run, device="cpu")
        assert found.scores["wer"] == pytest.approx(fold["scores"]["wer"])
        assert {row.columns["speaker"] for row in found.rows} == set(fold["groups"])
        assert all(row.id.startswith("train-") for row in found.rows)
    for name, mean in summary["scores"].items():
        scores = [fold["scores"][name] for fold in summary["results"]]
        assert mean == pytest.approx(statistics.fmean(scores))
        assert summary["standard_deviation"][name] == pytest.approx(statistics.stdev(scores))
    assert {"seed", "seconds", "folds", "group", "parts", "recipe"} <= summary.keys()


def test_a_stopped_one_goes_on_with_the_fold_that_is_not_finished(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(command(folder, out, "--group", "speaker")) == 0
    capsys.readouterr()
    before = json.loads((out / "crossval.json").read_text())
    (out / "crossval.json").unlink()
    (out / "fold-2" / "metrics.json").unlink()  # killed behind its last checkpoint
    kept = (out / "fold-1" / "metrics.json").stat().st_mtime_ns
    assert cli.main(command(folder, out, "--group", "speaker", "--resume")) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["fold", "held", "out", "rows", "wer", "cer", "accuracy", "loss", "seconds"]
    assert [line.split()[:3] for line in shown[1:3]] == [["1", "a", "12"], ["2", "b", "12"]]
    assert [line.split()[0] for line in shown[3:]] == ["mean", "sd", "folds"]
    assert (out / "fold-1" / "metrics.json").stat().st_mtime_ns == kept
    after = json.loads((out / "crossval.json").read_text())
    assert [fold["scores"] for fold in after["results"]] == [fold["scores"] for fold in before["results"]]


def test_what_was_begun_can_only_go_on_as_it_was_begun(finished: Path, folder: Path, tmp_path: Path) -> None:
    recipe = load_recipe(folder / "tones.yaml", SHORT)
    with pytest.raises(RunError, match=r"out: is not empty; give another --out, or --resume"):
        crossval(recipe, finished, folds=2)
    with pytest.raises(RunError, match=r"begun with something else \(group\), so --resume can't go on"):
        crossval(recipe, finished, folds=2, resume=True)
    other = load_recipe(folder / "tones.yaml", [*SHORT, "training.seed=2"])
    with pytest.raises(RunError, match=r"begun with something else \(recipe\)"):
        crossval(other, finished, folds=2, group="speaker", resume=True)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds no cross-validation that could go on"):
        crossval(recipe, tmp_path, folds=2, resume=True)


def test_rows_that_changed_are_told(finished: Path, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "tones"))
    text = (copy / "grouped.tsv").read_text()
    (copy / "grouped.tsv").write_text(text.replace("train-000", "train-xxx"))
    recipe = load_recipe(copy / "tones.yaml", [*SHORT])
    recipe.data.root = str(folder)
    recipe.data.train = str(copy / "grouped.tsv")
    with pytest.raises(RunError, match=r"begun with something else \(recipe, the rows' contents\)"):
        crossval(recipe, finished, folds=2, group="speaker", resume=True)


def test_mistakes_are_told_before_anything_is_made(folder: Path, tmp_path: Path, capsys: Any) -> None:
    wrong = [
        (["--group", "speakr"], 1, "has no column speakr (--group); did you mean speaker?"),
        (["--folds", "3", "--group", "speaker"], 2, "the column speaker has only 2 groups (a, b)"),
        (["--stratify"], 2, "classes with fewer rows than folds"),
        (["--stratify", "training.seed=3"], 2, "classes with fewer rows than folds"),
        (["--parts", "train,tset"], 2, "--parts train,tset: should be train, dev or test"),
        (["--parts", "test"], 2, "data.test is required"),
    ]
    for arguments, status, message in wrong:
        assert cli.main(command(folder, tmp_path / "out", *arguments)) == status, arguments
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_rows_that_can_not_be_used_are_left_out_of_all_folds(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.tsv").write_text((folder / "grouped.tsv").read_text() + "gone.wav\tlost\tab\ta\n")
    notices: list[str] = []
    with pytest.raises(DataError, match=r"1 of 25 rows .*can't be used"):
        crossval(load_recipe(folder / "tones.yaml", [*SHORT, "data.train=bad.tsv"]), tmp_path / "out", folds=2)
    recipe = load_recipe(
        folder / "tones.yaml", [*SHORT, "data.train=bad.tsv", "data.max_bad_share=0.1", "training.keep=best"]
    )
    result = crossval(recipe, tmp_path / "out", folds=2, parts=["train", "dev"], quiet=True, notice=notices.append)
    assert sum(fold["rows"]["dev"] for fold in result.folds) == 24 + 16
    assert any("(lost)" in notice for notice in notices)
    assert any("choose the epoch by the held-out rows" in notice for notice in notices)


def test_a_recipe_without_a_part_says_which(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.train is required"):
        crossval(load_recipe(folder / "tones.yaml", ["data.train=null"]), tmp_path / "out", folds=2)
