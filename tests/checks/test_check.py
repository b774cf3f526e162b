import json
import math
import shutil
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from seqpipe.checks.check import check, check_command
from seqpipe.config.recipe import load_recipe
from seqpipe.errors import ConfigError, DataError


@pytest.fixture
def folder(tone_data: Path, tmp_path: Path) -> Path:
    """A copy of the dev rows as train.tsv and dev.tsv, free to be damaged."""
    shutil.copytree(tone_data / "dev", tmp_path / "dev")
    for name in ("train", "dev"):
        shutil.copy(tone_data / "dev.tsv", tmp_path / f"{name}.tsv")
    shutil.copy(tone_data / "tones.yaml", tmp_path)
    return tmp_path


def test_good_rows_are_all_usable_and_nothing_is_suspicious(
    tone_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = check(load_recipe(tone_data / "tones.yaml"))
    assert {name: (findings.rows, findings.problems, findings.warnings) for name, findings in found.items()} == {
        "train": (80, [], []),
        "dev": (16, [], []),
    }
    assert check_command(str(tone_data / "tones.yaml"), None, [])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "train: 80 of 80 rows can be used"
    assert "dev: 16 of 16 rows can be used" in said
    assert "  4 different characters; rarest" in "\n".join(said)


def test_json_is_one_object_with_every_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "dev.tsv").open("a") as file:
        file.write("gone.wav\tlost\tab\n")
    assert not check_command(str(folder / "tones.yaml"), None, [], as_json=True)
    record = json.loads(capsys.readouterr().out)
    assert record["usable"] is False
    dev = record["parts"]["dev"]
    assert (dev["rows"], dev["usable"]) == (17, 16)
    (error,) = dev["errors"]
    assert (error["kind"], error["count"], error["rows"][0]["row"], error["rows"][0]["id"]) == (
        "missing",
        1,
        17,
        "lost",
    )
    (warning,) = dev["warnings"]  # all rows of dev are those of train
    assert (warning["kind"], warning["count"], len(warning["rows"])) == ("in train too", 16, 16)
    assert dev["summary"]["characters"].keys() == {"a", "b", "c", " "}


def test_the_training_rows_by_themselves_are_not_compared_with_themselves(folder: Path) -> None:
    recipe = load_recipe(folder / "tones.yaml")
    (findings,) = check(recipe, str(folder / "train.tsv")).values()
    assert findings.warnings == []
    (findings,) = check(recipe, str(folder / "dev.tsv")).values()
    assert {kind for _, kind, _ in findings.warnings} == {"in train too"}


def test_headers_alone_are_said_to_be_all_that_was_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_command(str(folder / "tones.yaml"), None, ["data.check=headers"])
    assert "only headers were read" in capsys.readouterr().out


def test_a_bad_start_or_no_text_is_one_bad_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["dev/000.wav\tone\tab\t0:30", "dev/001.wav\ttwo\t\t", "dev/002.wav\tthree\tab\t0.01"]
    (folder / "dev.tsv").write_text("\n".join(["path\tname\ttext\tfrom", *rows]) + "\n")
    (folder / "train.tsv").write_text((folder / "train.tsv").read_text().replace("text\n", "text\tfrom\n"))
    lines = (folder / "train.tsv").read_text().splitlines()
    (folder / "train.tsv").write_text("\n".join([lines[0], *(f"{line}\t0" for line in lines[1:])]) + "\n")
    assert not check_command(str(folder / "tones.yaml"), None, ["data.start=from"])
    said = capsys.readouterr().out
    assert "dev: 1 of 3 rows can be used" in said
    assert "dev.tsv, row 1 (one): from should be seconds, at least 0; received '0:30'" in said
    assert "dev.tsv, row 2 (two): the target is empty; received ''" in said


def test_every_planted_bad_row_is_named_with_its_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dev" / "003.wav").write_bytes(b"RIFF")
    with (folder / "dev.tsv").open("a") as file:
        file.write("gone.wav\tlost\tab\ndev/001.wav\tstrange\tab?\ndev/001.wav\tlong\t" + "ab" * 500 + "\n")
    assert not check_command(str(folder / "tones.yaml"), None, [])
    said = capsys.readouterr().out
    for line in (
        "train: 15 of 16 rows can be used",
        "dev: 17 of 19 rows can be used",
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


def test_a_column_of_numbers_with_gaps_means_what_it_means_as_text(tmp_path: Path) -> None:
    texts = ["good film", "bad film", "fine film", "ugly film", "a film"]
    columns = {"label": [1.0, 0.0, 1.0, 0.0, math.nan], "id": [1.0, 2.0, 3.0, 3.0, 4.0], "speaker": [0.0, 0, 1, 1, 7]}
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, **columns}), tmp_path / "train.parquet")
    rows = zip(texts, "1010 ", "12334", "00117", strict=True)
    lines = [",".join(cells).replace(" ,", ",") for cells in (("text", *columns), *rows)]
    (tmp_path / "train.csv").write_text("\n".join(lines).replace(", ", ",") + "\n")
    (tmp_path / "dev.csv").write_text("text,label,id,speaker\nfine film,1,9,1\nugly,0,8,2\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"""
        data: {{root: {tmp_path}, train: train.csv, dev: dev.csv, input: text, target: label, id: id, group: speaker}}
        pipeline:
          features: [{{stage: Tokens}}, {{stage: LogRatioFeatures}}]
          head: {{stage: ClassifierHead}}
        training: {{epochs: 1, batch_steps: 100, learning_rate: 0.1}}
        """
    )

    def found(manifest: str) -> list[Any]:
        parts = check(load_recipe(recipe, [f"data.train={manifest}"])).values()
        return [
            (
                {**part.numbers, "source": ""},
                [(row.id, kind, message.replace(manifest, "")) for row, kind, message in part.warnings],
            )
            for part in parts
        ] + [[row.number for part in parts for row, _, _ in part.problems]]

    from_text = found("train.csv")
    assert from_text[0][0]["groups"]["shared"] == {"dev": 1}
    assert from_text[-1] == [5]
    assert found("train.parquet") == from_text


@pytest.mark.parametrize(
    ("head", "targets", "said"),
    [
        ("{stage: TaggerHead, scheme: bio}", ("B_PER O", "O O", "PER.I O"), r"write B-PER for B_PER"),
        (
            "{stage: ClassifierHead}",
            ("", "a", [1]),
            r"the only one is 'a' .*\n.*row 3 \(3\): the target should name a class",
        ),
        (
            "{stage: RegressionHead}",
            ("x", "y", "z"),
            r"no target that is a number .*\n.*row 1 \(1\): the target should be",
        ),
    ],
)
def test_where_nothing_can_be_learnt_rows_say_why(head: str, targets: Any, said: str, tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"word {number}", "label": target}) for number, target in enumerate(targets)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"""
        data: {{root: {tmp_path}, train: train.jsonl, input: text, target: label}}
        pipeline: {{features: [{{stage: Tokens}}, {{stage: Embedding, size: 4}}], head: {head}}}
        training: {{epochs: 1, batch_steps: 100, learning_rate: 0.1}}
        """
    )
    with pytest.raises((ConfigError, DataError), match=said) as caught:
        check(load_recipe(recipe))
    assert "train.jsonl, row 3 (3): " in str(caught.value)


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


def test_a_row_in_another_encoding_is_one_bad_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "dev.tsv").open("ab") as file:
        file.write(b"dev/000.wav\tgr\xfcn\tab\ndev/gone.wav\tgone\tab\n")
    assert not check_command(str(folder / "tones.yaml"), None, [])
    said = capsys.readouterr().out
    assert "is not UTF-8 text (byte 0xfc)" in said
    assert "(gone)" in said, "the rows behind it are looked at"


def test_what_was_found_is_told_where_nothing_can_be_learnt(folder: Path) -> None:
    with (folder / "train.tsv").open("a") as file:
        file.write("dev/gone.wav\tgone\tab\n")
    recipe = load_recipe(folder / "tones.yaml", ["pipeline.head={stage: CTCHead, units: bpe, vocabulary_size: 900}"])
    with pytest.raises(DataError, match=r"can't learn 900 units \(vocabulary_size\): Vocabulary size") as caught:
        check(recipe)
    assert "train:\nmissing: 1 of" in str(caught.value)
    assert "src/" not in str(caught.value)
