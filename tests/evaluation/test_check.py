import shutil
from pathlib import Path

import pytest

from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.check import check, check_command
from seqpipe.recipe import load_recipe


@pytest.fixture
def folder(tone_data: Path, tmp_path: Path) -> Path:
    """A copy of the dev rows as train.tsv and dev.tsv, free to be damaged."""
    shutil.copytree(tone_data / "dev", tmp_path / "dev")
    for name in ("train", "dev"):
        shutil.copy(tone_data / "dev.tsv", tmp_path / f"{name}.tsv")
    shutil.copy(tone_data / "tones.yaml", tmp_path)
    return tmp_path


def test_good_rows_are_all_usable(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = check(load_recipe(folder / "tones.yaml"))
    assert {name: (findings.rows, findings.problems) for name, findings in found.items()} == {
        "train": (16, []),
        "dev": (16, []),
    }
    assert check_command(str(folder / "tones.yaml"), None, [])
    assert capsys.readouterr().out == "train: 16 of 16 rows can be used\ndev: 16 of 16 rows can be used\n"


def test_every_planted_bad_row_is_named_with_its_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dev" / "003.wav").write_bytes(b"RIFF")
    with (folder / "dev.tsv").open("a") as file:
        file.write("gone.wav\tlost\tab\ndev/001.wav\tstrange\tab?\ndev/001.wav\tlong\t" + "ab" * 500 + "\n")
    assert not check_command(str(folder / "tones.yaml"), None, [])
    said = capsys.readouterr().out
    for line in (
        "train: 15 of 16 rows can be used",
        "dev: 15 of 19 rows can be used",
        f"{folder}/train.tsv, row 4 (dev-003): {folder}/dev/003.wav: is not audio",
        f"{folder}/dev.tsv, row 17 (lost): {folder}/gone.wav: no such file",
        f"{folder}/dev.tsv, row 18 (strange): 'ab?' holds '?'",
        f"{folder}/dev.tsv, row 19 (long): its label needs 1000 steps",
    ):
        assert line in said


def test_a_source_is_looked_at_as_a_recipe_reads_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.csv").write_text("path,name,text\ndev/000.wav,one,abc\ndev/001.wav,two,xyz\n")
    assert not check_command(str(folder / "other.csv"), str(folder / "tones.yaml"), [])
    said = capsys.readouterr().out
    assert f"{folder}/other.csv: 1 of 2 rows can be used" in said
    assert "row 2 (two): 'xyz' holds 'x', 'y', 'z'" in said


def test_a_manifest_without_a_recipe_is_told_what_it_needs(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.tsv: is a manifest, not a recipe; --recipe RECIPE"):
        check_command(str(folder / "train.tsv"), None, [])


def test_a_source_that_is_not_there_is_named_before_the_recipes_own(folder: Path) -> None:
    (folder / "train.tsv").unlink()
    with pytest.raises(DataError, match=r"nothing\.tsv: there is no such file"):
        check_command(str(folder / "nothing.tsv"), str(folder / "tones.yaml"), [])


def test_a_test_part_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command(str(folder / "tones.yaml"), None, ["data.test=test.tsv"])
    assert "test: test.tsv is not there, so it was not looked at" in capsys.readouterr().out


def test_an_empty_cell_is_one_bad_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "dev.tsv").open("a") as file:
        file.write("\tnameless\tab\n")
    assert not check_command(str(folder / "tones.yaml"), None, [])
    assert "dev.tsv, row 17 (nameless): audio is a path, " in capsys.readouterr().out


def test_a_source_that_can_not_be_opened_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.tsv: there is no such file"):
        check(load_recipe(folder / "tones.yaml", ["data.dev=nothing.tsv"]))


def test_training_rows_that_are_all_bad_are_named(folder: Path) -> None:
    (folder / "train.tsv").write_text("path\tname\ttext\ngone.wav\tlost\tab\n")
    with pytest.raises(DataError, match=r"missing: 1 of 1 rows\n.*\(lost\)"):
        check(load_recipe(folder / "tones.yaml"))
