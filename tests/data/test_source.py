import gzip
import math
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from seqpipe.config.recipe import DataConfig
from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import AUDIO_SUFFIXES, INK_SUFFIXES, Suffixes
from seqpipe.data.fingerprint import fingerprint
from seqpipe.data.formats.manifest import count_manifest
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows, unread_files
from seqpipe.errors import DataError, InputError
from seqpipe.features.speech.waveform import Waveform


def rows_of(path: Path, text: str, *, suffixes: Suffixes = AUDIO_SUFFIXES, **config: Any) -> list[Row]:
    """What a manifest with this text gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return list(read_rows(str(path), DataConfig(**config), suffixes=suffixes))


def test_paths_are_relative_to_the_manifest_and_ids_are_the_paths(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "sets" / "train.tsv", "path\ttext\n../audio/a b.wav\thello\n")
    assert row.input == FileSpan(tmp_path / "sets" / "../audio/a b.wav")
    assert (row.id, row.target, row.number) == ("../audio/a b.wav", "hello", 1)
    assert row.where == f"{tmp_path}/sets/train.tsv, row 1 (../audio/a b.wav)"


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "train.tsv", "path\ttext\n/somewhere/a.wav\thello\n")
    assert row.input == FileSpan(Path("/somewhere/a.wav"))


def test_a_relative_source_is_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"path": "a.wav", "text": "x"}\n')
    (row,) = read_rows("train.jsonl", DataConfig(), suffixes=AUDIO_SUFFIXES, root=tmp_path)
    assert row.input.source == tmp_path / "a.wav"


def test_rows_come_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"path": "a.wav", "text": "x"}\nno json\n')
    rows = read_rows(str(path), DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert next(rows).target == "x"
    with pytest.raises(DataError, match="line 2"):
        next(rows)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"input": "pth"}, r"row 1: has no column pth \(data\.input\); did you mean path\?"),
        ({"target": "txt"}, r"row 1 \(a\.wav\): has no column txt \(data\.target\); did you mean text\?"),
        ({"id": "nam"}, r"row 1: has no column nam \(data\.id\); did you mean name\?"),
        ({"start": "strt"}, r"row 1: has no column strt \(data\.start\); did you mean start\?"),
        ({"end": "zzz"}, r"row 1: has no column zzz \(data\.end\); known: end, name, path, start, text"),
    ],
)
def test_a_missing_column_is_named_with_its_key_and_the_nearest_one(
    config: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        rows_of(tmp_path / "rows.tsv", "path\ttext\tname\tstart\tend\na.wav\tone\tn1\t0\t1\n", **config)


def test_targets_may_be_missing_where_none_are_needed(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text("path\na.wav\n")
    (row,) = read_rows(str(path), DataConfig(), suffixes=AUDIO_SUFFIXES, needs_target=False)
    assert row.target is None


@pytest.mark.parametrize("second", ['{"path": "b.wav", "text": null}', '{"path": "b.wav"}'])
def test_a_row_without_target_is_one_bad_row(second: str, tmp_path: Path) -> None:
    first, bad = rows_of(tmp_path / "rows.jsonl", f'{{"path": "a.wav", "text": "x"}}\n{second}\n')
    assert first.problem is None
    assert bad.problem is not None
    assert (bad.problem.kind, str(bad.problem)) == ("no target", "has nothing in the column text (data.target)")


def test_spans_come_from_their_columns_in_seconds(tmp_path: Path) -> None:
    text = "path,text,from,to\na.wav,one,0.5,1.25\na.wav,two,1.25,\na.wav,three,,0.5\n"
    rows = rows_of(tmp_path / "rows.csv", text, start="from", end="to")
    path = tmp_path / "a.wav"
    assert [row.input for row in rows] == [FileSpan(path, 0.5, 1.25), FileSpan(path, 1.25), FileSpan(path, 0, 0.5)]
    assert len({row.id for row in rows}) == 3  # the same file, and yet each row has a name of its own


@pytest.mark.parametrize("bad", ["-0.1", "one", "nan", "inf", "0:30", "1,5"])
@pytest.mark.parametrize("column", ["start", "end"])
def test_what_is_no_number_of_seconds_is_one_bad_row(bad: str, column: str, tmp_path: Path) -> None:
    other = {"start": "end", "end": "start"}[column]
    text = f"path\ttext\t{column}\t{other}\na.wav\tx\t{bad}\t1\nb.wav\ty\t\t\n"
    row, good = rows_of(tmp_path / "rows.tsv", text, start="start", end="end")
    assert row.where == f"{tmp_path}/rows.tsv, row 1 (a.wav)"
    assert row.problem is not None
    assert row.problem.kind == "bad value"
    assert str(row.problem).startswith(f"{column} should be seconds, at least 0; received '{bad}'")
    assert row.input is None  # whatever reads it refuses it
    assert (good.problem, good.input) == (None, FileSpan(tmp_path / "b.wav"))


def test_numbers_of_a_parquet_manifest_are_seconds_as_they_stand(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([{"path": "a.wav", "text": "x", "start": 1, "end": None}])
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    config = DataConfig(start="start", end="end")
    (row,) = read_rows(str(tmp_path / "rows.parquet"), config, suffixes=AUDIO_SUFFIXES)
    assert row.input == FileSpan(tmp_path / "a.wav", 1.0)


def test_whole_numbers_of_a_column_with_gaps_are_no_other_ids_and_nothing_is_nothing(tmp_path: Path) -> None:
    columns = {"id": [17.0, math.nan], "speaker": [3.0, math.nan], "path": ["a.wav", "b.wav"], "text": ["x", "y"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "rows.parquet")
    given, nameless = read_rows(str(tmp_path / "rows.parquet"), DataConfig(id="id"), suffixes=AUDIO_SUFFIXES)
    assert (given.id, nameless.id) == ("17", "b.wav")
    assert (given.columns["speaker"], nameless.columns["speaker"]) == (3.0, None)


def test_a_target_that_is_no_number_is_none(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a"] * 2, "text": [1.0, math.nan]}), tmp_path / "rows.parquet")
    whole, none = read_rows(str(tmp_path / "rows.parquet"), DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert (whole.target, whole.problem) == (1.0, None)
    assert none.problem is not None
    assert (none.target, none.problem.kind) == (None, "no target")


def test_bytes_in_a_parquet_manifest_are_the_file_itself(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"path": [b"RIFF"], "text": ["x"]}), tmp_path / "rows.parquet")
    (row,) = read_rows(str(tmp_path / "rows.parquet"), DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert row.input == FileSpan(b"RIFF")
    assert row.id == "1"


@pytest.mark.parametrize("bad", ["5", '""', "null", "[1]"])
def test_what_is_neither_path_nor_bytes_is_a_bad_row_among_good_ones(bad: str, tmp_path: Path) -> None:
    row, other = rows_of(tmp_path / "rows.jsonl", f'{{"path": {bad}, "text": "x"}}\n{{"path": "a", "text": "y"}}\n')
    assert row.where == f"{tmp_path}/rows.jsonl, row 1 ({row.id})"
    assert other.input == FileSpan(tmp_path / "a")
    for look in (Waveform().length, lambda raw: Waveform().prepare(raw, None)):
        with pytest.raises(InputError, match=r"audio is a path, the bytes of a file, .*; received ") as caught:
            look(row.input)
        assert caught.value.kind == "bad value"


def test_an_id_column_can_be_done_without_where_rows_are_only_answered(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("path\ttext\na.wav\tone\n")
    config = DataConfig(id="name")
    (row,) = read_rows(str(tmp_path / "rows.tsv"), config, suffixes=AUDIO_SUFFIXES, needs_id=False)
    assert row.id == "a.wav"
    with pytest.raises(DataError, match=r"has no column name \(data\.id\)"):
        list(read_rows(str(tmp_path / "rows.tsv"), config, suffixes=AUDIO_SUFFIXES))


def test_a_missing_source_says_which_keys_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.tsv: there is no such file.*data\.root"):
        list(read_rows("nothing.tsv", DataConfig(), suffixes=AUDIO_SUFFIXES, root=tmp_path))


def test_the_kind_is_told_by_the_ending_or_by_the_recipe(tmp_path: Path) -> None:
    text = "path\ttext\na.wav\tone\n"
    with pytest.raises(DataError, match=r"rows\.list: can't tell what kind.*\.tsv.*data\.format"):
        rows_of(tmp_path / "rows.list", text)
    assert rows_of(tmp_path / "rows.list", text, format="tsv") == [
        Row("a.wav", FileSpan(tmp_path / "a.wav"), "one", 1, f"{tmp_path}/rows.list", {"path": "a.wav", "text": "one"})
    ]
    assert rows_of(tmp_path / "rows.TSV", text)[0].target == "one"


def test_lists_of_words_and_tags_come_through_as_lists(tmp_path: Path) -> None:
    config = {"input": "words", "target": "tags"}
    (row,) = rows_of(tmp_path / "a.jsonl", '{"words": ["a", "b"], "tags": ["X", "Y"]}', suffixes=frozenset(), **config)
    assert (row.input, row.target) == (["a", "b"], ["X", "Y"])
    table = pyarrow.Table.from_pylist([{"words": ["a", "b"], "tags": ["X", "Y"]}])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (same,) = read_rows(str(tmp_path / "a.parquet"), DataConfig(**config), suffixes=frozenset())
    assert (same.input, same.target) == (row.input, row.target)
    assert fingerprint([same]) == fingerprint([row])


@pytest.mark.parametrize("value", ['"a\\u0000"', '["b", "a\\u0000"]'])
def test_a_text_with_a_null_character_is_one_bad_row(value: str, tmp_path: Path) -> None:
    bad, good = rows_of(
        tmp_path / "a.jsonl",
        f'{{"path": {value}, "text": "x"}}\n{{"path": "b", "text": "y"}}\n',
        suffixes=frozenset(),
    )
    assert str(bad.problem) == "the column path (data.input) holds a null character"
    assert (bad.input, good.input, good.problem) == (None, "b", None)


def test_a_manifest_may_be_gzipped_and_one_that_breaks_off_is_named(tmp_path: Path) -> None:
    plain = "path\ttext\n" + "".join(f"{number}.wav\tword {number}\n" for number in range(500))
    packed = gzip.compress(plain.encode())
    (tmp_path / "a.tsv.gz").write_bytes(packed)
    rows = list(read_rows("a.tsv.gz", DataConfig(), suffixes=AUDIO_SUFFIXES, root=tmp_path))
    assert [row.target for row in rows] == [f"word {number}" for number in range(500)]
    assert count_manifest(tmp_path / "a.tsv.gz", "tsv") == 500
    for content in (packed[:-200], b"no gzip at all"):
        (tmp_path / "b.tsv.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"b\.tsv\.gz: can't be unpacked; is it cut off\?"):
            list(read_rows("b.tsv.gz", DataConfig(), suffixes=AUDIO_SUFFIXES, root=tmp_path))


def test_strokes_in_a_cell_are_json_where_strokes_are_read(tmp_path: Path) -> None:
    text = "path\ttext\n[[[0, 0], [1, 2]], [[3, 4]]]\ta\n [[1, 2, 3\tb\n[1].inkml\tc\nd.inkml\td\n"
    whole, broken, *files = rows_of(tmp_path / "a.tsv", text, suffixes=INK_SUFFIXES)
    assert (whole.id, whole.input, whole.problem) == ("1", [[[0, 0], [1, 2]], [[3, 4]]], None)
    assert isinstance(broken.problem, InputError)
    assert str(broken.problem).startswith("the column path (data.input) begins with [ and is not JSON")
    assert [row.input for row in files] == [FileSpan(tmp_path / "[1].inkml"), FileSpan(tmp_path / "d.inkml")]
    for row in rows_of(tmp_path / "a.tsv", text):  # of recordings it is a name, as ever
        assert isinstance(row.input, FileSpan)


def test_files_of_a_folder_that_are_not_read_are_told(tmp_path: Path) -> None:
    for name in ("a.wav", "a.txt", "b.m4a", "c.m4a", "notes"):
        (tmp_path / name).touch()
    said = unread_files("", DataConfig(), AUDIO_SUFFIXES, tmp_path)
    assert said is not None
    assert said.endswith("passed over 3 files: 2 .m4a, 1 without an ending")
    assert unread_files("a.wav", DataConfig(), AUDIO_SUFFIXES, tmp_path) is None
    (tmp_path / "list.tsv").write_text("path\ttext\n")
    assert unread_files("list.tsv", DataConfig(), AUDIO_SUFFIXES, tmp_path) is None
