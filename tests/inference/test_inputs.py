import io
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from seqpipe.answers.failure import Failure
from seqpipe.config.recipe import DataConfig
from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import AUDIO_SUFFIXES, Suffixes
from seqpipe.data.rows import Row
from seqpipe.errors import DataError
from seqpipe.inference.inputs import check_inputs, count_inputs, expand_inputs

NO_FILES: Suffixes = frozenset()
"""Of inputs that are no files."""


@pytest.fixture
def folder(tone_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user stands: recordings in folders, a manifest, and other files."""
    for name in ("b.wav", "a.wav", "deep/er/c.wav", "deep/d[1].wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tone_data / "dev" / "000.wav", tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "deep" / "list.tsv").write_text("path\tname\nd[1].wav\tfirst\n../a.wav\tsecond\n")
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def expand(*arguments: str, **config: str) -> list[Row | Failure]:
    return list(expand_inputs(arguments, DataConfig(**config), suffixes=AUDIO_SUFFIXES))


def names(*arguments: str) -> list[str]:
    return [row.id for row in expand(*arguments)]


def test_files_folders_and_globs_give_files(folder: Path) -> None:
    assert names("b.wav", "a.wav", "b.wav") == ["b.wav", "a.wav", "b.wav"]  # as given, repeats too
    assert names("deep") == ["deep/d[1].wav", "deep/er/c.wav"]
    assert names("*.wav") == ["a.wav", "b.wav"]
    assert names("**/*.wav") == ["a.wav", "b.wav", "deep/d[1].wav", "deep/er/c.wav"]
    assert names(f"{folder}/deep/*/") == [f"{folder}/deep/er/c.wav"]
    assert names("deep/d[1].wav") == ["deep/d[1].wav"]  # a file of that name comes before a pattern
    assert all(row.input == FileSpan(Path(row.id)) for row in expand("**/*.wav", "a.wav", "deep"))


def test_a_file_that_is_named_is_taken_whatever_its_ending(folder: Path) -> None:
    assert names("notes.txt") == ["notes.txt"]  # reading it will say that it is no audio


def test_a_manifest_gives_its_rows_with_and_without_targets(folder: Path) -> None:
    rows = expand("deep/list.tsv", id="name")
    assert [row.id for row in rows] == ["first", "second"]
    assert all(row.input.source.resolve().is_file() for row in rows)
    assert [row.target for row in rows] == [None, None]
    with pytest.raises(DataError, match=r"list\.tsv, row 1: has no column audio"):
        expand("deep/list.tsv", input="audio")


def test_a_manifest_needs_no_column_of_ids(folder: Path) -> None:
    assert [row.id for row in expand("deep/list.tsv", id="utterance")] == ["d[1].wav", "../a.wav"]


def test_what_is_not_there_has_a_place_among_the_inputs(folder: Path) -> None:
    gone, nothing, empty, last = expand("gone.wav", "*.mp3", "none", "a.wav")
    assert gone == Row("gone.wav", FileSpan(Path("gone.wav")))  # reading it will say so
    assert (nothing.id, nothing.kind) == ("*.mp3", "missing")
    assert (empty.id, empty.kind) == ("none", "empty")
    assert last.id == "a.wav"


@pytest.mark.parametrize("name", ["x" * 5000, "x/" * 3000, "null\0character.wav"])
def test_a_name_that_no_file_can_have_is_handed_on(name: str, folder: Path) -> None:
    assert names(name, "a.wav") == [name, "a.wav"]


def test_inputs_are_expanded_one_at_a_time(folder: Path) -> None:
    def arguments() -> object:
        yield "a.wav"
        pytest.fail("asked for more than it was asked for")

    assert next(expand_inputs(arguments(), DataConfig(), suffixes=AUDIO_SUFFIXES)).id == "a.wav"


def test_columns_of_spans_that_are_not_read_are_told_once(folder: Path) -> None:
    (folder / "spans.tsv").write_text("path\tstart\na.wav\t0.5\na.wav\t1\n")
    told: list[str] = []
    rows = list(expand_inputs(["spans.tsv"], DataConfig(), suffixes=AUDIO_SUFFIXES, notice=told.append))
    assert [row.input for row in rows] == [FileSpan(Path("a.wav"))] * 2
    assert told == ["spans.tsv: has a column start, and the recipe names no data.start, so whole files are read"]
    list(expand_inputs(["spans.tsv"], DataConfig(start="start"), suffixes=AUDIO_SUFFIXES, notice=told.append))
    assert len(told) == 1


def test_a_manifest_of_nemos_gives_parts_of_recordings(folder: Path) -> None:
    (folder / "calls.json").write_text('{"audio_filepath": "a.wav", "offset": 0.5, "duration": 1}\n' * 2)
    told: list[str] = []
    named = DataConfig(input="audio_filepath", start="offset", duration="duration")
    rows = list(expand_inputs(["calls.json"], named, suffixes=AUDIO_SUFFIXES, notice=told.append))
    assert ([row.input for row in rows], told) == ([FileSpan(Path("a.wav"), 0.5, 1.5)] * 2, [])
    list(expand_inputs(["calls.json"], DataConfig(input="audio_filepath"), suffixes=AUDIO_SUFFIXES, notice=told.append))
    assert told == [
        "calls.json: has columns offset and duration, and the recipe names no data.start and data.duration, so whole "
        "files are read"
    ]


def test_a_list_in_json_is_no_manifest_and_how_to_make_one_is_told(folder: Path) -> None:
    (folder / "calls.json").write_text('[\n{"path": "a.wav"}\n]\n')
    first, row, last = expand_inputs(["calls.json"], DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert (row.id, first.kind, last.kind) == ("a.wav", "bad value", "bad value")
    assert "calls.json, line 1: is not JSON" in first.message
    assert "an object a line, as jq -c '.[]' makes them of a list" in first.message


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_standard_input_gives_a_path_or_a_json_object_a_line(folder: Path, given: Callable[[str], None]) -> None:
    line = json.dumps({"path": "b.wav", "from": 0.25, "text": "ab"})
    given(f"a.wav\n\n{line}\r\n  spaced name.wav \nlast.wav")
    rows = list(expand_inputs(["-"], DataConfig(start="from"), suffixes=AUDIO_SUFFIXES))
    assert [row.id for row in rows] == ["a.wav", "b.wav@0.25", "  spaced name.wav ", "last.wav"]
    assert rows[1].input == FileSpan(Path("b.wav"), 0.25)


def test_a_bad_line_of_standard_input_fails_alone(folder: Path, given: Callable[[str], None]) -> None:
    given('a.wav\n{"path": \n{"pth": "b.wav"}\n{"path": 5}\nb.wav\n')
    rows = expand("-")
    assert [row.id for row in rows] == ["a.wav", "line 2", "line 3", "line 4", "b.wav"]
    assert [isinstance(row, Failure) for row in rows] == [False, True, True, True, False]
    assert rows[1].message.startswith("standard input, row 2: is not JSON")
    assert rows[2].message == "standard input, row 3: has no column path (data.input); did you mean pth?"


def test_a_bad_start_fails_alone(folder: Path, given: Callable[[str], None]) -> None:
    given('{"path": "a.wav", "from": "0:30"}\n{"path": "a.wav", "from": 1}\n')
    bad, good = expand_inputs(["-"], DataConfig(start="from"), suffixes=AUDIO_SUFFIXES)
    assert (bad.kind, bad.message) == (
        "bad value",
        "standard input, row 1 (a.wav): from should be seconds, at least 0; received '0:30'",
    )
    assert good.input == FileSpan(Path("a.wav"), 1.0)


# Whatever is broken has its place


def test_a_pattern_with_two_stars_gives_each_file_once(folder: Path) -> None:
    (folder / "notes.txt").unlink()
    (folder / "deep" / "list.tsv").unlink()
    everything = ["a.wav", "b.wav", "deep/d[1].wav", "deep/er/c.wav"]
    assert names("**/*") == names("**") == everything
    assert names("*") == [*everything, "none"]  # folders that match are walked, an empty one says so
    assert names("deep/**/") == ["deep/d[1].wav", "deep/er/c.wav", "deep/er/c.wav"]  # as asked: deep/ and deep/er/


def test_matches_of_a_pattern_are_names_not_arguments(folder: Path) -> None:
    for name in ("hub:x", "-", "two\nlines"):
        (folder / "none" / name).touch()
    (folder / "none" / "gone[a].wav").symlink_to("nowhere")
    assert names("none/*") == ["none/-", "none/gone[a].wav", "none/hub:x", "none/two\nlines"]
    os.chdir(folder / "none")
    assert names("[-h]*") == ["-", "hub:x"]


@pytest.mark.parametrize("suffixes", [AUDIO_SUFFIXES, NO_FILES])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tsv", "path\tstart\na.wav\t1\nb.wav\nc.wav\tsoon\nd.wav\t2"),
        ("x.csv", 'path,start\na.wav,1\nb.wav,"1\nc.wav,soon\nd.wav,2'),
        (
            "x.jsonl",
            '{"path": "a.wav", "start": 1}\n{"pth": "b.wav"}\n{"path": "c.wav", "start": "soon"}\n'
            '{"path": "d.wav", "start": 2}',
        ),
    ],
)
def test_a_bad_row_of_a_manifest_fails_in_its_place(name: str, content: str, suffixes: Suffixes, folder: Path) -> None:
    (folder / name).write_text(content)
    rows = list(expand_inputs([name], DataConfig(start="start"), suffixes=suffixes))
    bad = [1, 2] if suffixes else [1]  # without files no column of spans is read
    assert [place for place, row in enumerate(rows) if isinstance(row, Failure)] == bad
    assert all(row.kind == "bad value" and row.message.startswith(name) for row in rows if isinstance(row, Failure))
    assert rows[1].id == f"{name}:2"
    assert rows[0].id == ("a.wav@1" if suffixes else f"{name}:1")
    assert rows[3].input == (FileSpan(Path("d.wav"), 2.0) if suffixes else "d.wav")
    assert count_inputs([name], DataConfig(), suffixes) == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.tsv", "pth\na.wav\n"), ("x.jsonl", '{"pth": 1}\n'), ("x.parquet", "PAR1"), ("x.csv", "")],
)
def test_a_manifest_that_is_none_ends_all_and_can_be_found_beforehand(name: str, content: str, folder: Path) -> None:
    (folder / name).write_text(content)
    for look in (lambda arguments: expand(*arguments), lambda arguments: check(*arguments)):
        with pytest.raises(DataError, match=name):
            look(["a.wav", "deep/list.tsv", name])


def check(*arguments: str) -> None:
    check_inputs(arguments, DataConfig(), suffixes=AUDIO_SUFFIXES)


def test_what_is_whole_or_fails_alone_is_not_checked(folder: Path) -> None:
    (folder / "x.jsonl").write_text('no\n{"path": "a.wav"}\n{"pth": "a.wav"}\n')
    check("x.jsonl", "deep/list.tsv", "gone.wav", "*.wav", "*.tsv", "none", "hub:nobody/nothing", "-", "notes.txt")
    with pytest.raises(DataError, match=r"gone\.tsv: there is no such file"):
        check("a.wav", "gone.tsv")


def test_files_that_are_not_there_fail_alone_where_inputs_are_text(folder: Path) -> None:
    rows = list(expand_inputs(["gone.txt", "a.wav/b", "x\0", "notes.txt"], DataConfig(), suffixes=frozenset()))
    assert [row.id for row in rows] == ["gone.txt", "a.wav/b", "x\0", "notes.txt:1"]
    assert [row.kind for row in rows[:3]] == ["missing"] * 3
    (row,) = expand_inputs(["gone.tsv"], DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert isinstance(row, Row)  # a recording as any other, for reading to say what is wrong


def test_a_folder_that_cannot_be_read_fails_alone(folder: Path) -> None:
    long = "d" * 255
    here = os.open(folder / "deep", os.O_RDONLY)
    for _ in range(20):  # a path longer than the system takes
        os.mkdir(long, dir_fd=here)
        here = os.open(long, os.O_RDONLY, dir_fd=here)
    rows = expand(str(folder))
    failures = [row for row in rows if isinstance(row, Failure)]
    assert [row.kind for row in failures] == ["unreadable"]
    assert failures[0].id in failures[0].message
    assert [row.id.removeprefix(f"{folder}/") for row in rows if isinstance(row, Row)] == names("**/*.wav")


# Text


def test_a_file_is_text_where_the_features_read_no_files(folder: Path) -> None:
    (folder / "b.txt").write_bytes(b"\xef\xbb\xbfone \r\n\ngr\xfcn\n {three}")
    (folder / "deep" / "a.txt").write_text("four")
    rows = list(expand_inputs(["b.txt", "deep"], DataConfig(), suffixes=frozenset()))
    assert [row.id for row in rows] == ["b.txt:1", "b.txt:3", "b.txt:4", "deep/a.txt:1"]
    assert [row.input for row in rows if isinstance(row, Row)] == ["one ", " {three}", "four"]
    bad = rows[1]
    assert (bad.kind, bad.message) == ("bad value", "b.txt, line 3: is not UTF-8 text (byte 0xfc)")
    (empty,) = expand_inputs(["none"], DataConfig(), suffixes=frozenset())
    assert (empty.id, empty.kind) == ("none", "empty")


def test_a_line_with_a_null_character_fails_in_its_place(folder: Path) -> None:
    (folder / "b.txt").write_bytes(b"one\ntw\0o\nthree\n")
    rows = list(expand_inputs(["b.txt"], DataConfig(), suffixes=frozenset()))
    assert [isinstance(row, Failure) for row in rows] == [False, True, False]
    assert (rows[1].id, rows[1].message) == ("b.txt:2", "b.txt, line 2: holds a null character")
    assert count_inputs(["b.txt"], DataConfig(), NO_FILES) == 3


TAGGING = DataConfig(format="columns", columns=["form", "upos"], input="form", target="upos")


def test_column_files_give_their_words_where_the_model_learnt_from_such(folder: Path) -> None:
    (folder / "a.conll").write_bytes(b"It\tPRON\nworks\tVERB\n\ngr\xfcn\tADJ\n\nNo\tINTJ\n")
    (folder / "words.TSV").write_text("Just\nwords\n\n# sent_id = s2\nmore\n")
    (folder / "raw.txt").write_text("one line\n")
    arguments = ["a.conll", "words.TSV", "raw.txt"]
    rows = list(expand_inputs(arguments, TAGGING, suffixes=frozenset()))
    assert [row.id for row in rows] == ["a.conll:1", "a.conll:2", "a.conll:3", "words.TSV:1", "s2", "raw.txt:1"]
    given = [row.input for row in rows if isinstance(row, Row)]
    assert given == [["It", "works"], ["No"], ["Just", "words"], ["more"], "one line"]
    assert isinstance(rows[1], Failure)
    assert rows[1].message == "a.conll, line 4 (sentence 2): is not UTF-8 text (byte 0xfc)"
    assert count_inputs(arguments, TAGGING, NO_FILES) == len(rows)
    check_inputs(arguments, TAGGING, suffixes=frozenset())


def test_a_folder_gives_column_files_and_text_of_a_model_of_column_files(folder: Path) -> None:
    (folder / "none" / "b.conllu").write_text("1\tIt\tit\tPRON\tPRP\t_\t0\troot\t_\t_\n")
    (folder / "none" / "a.txt").write_text("one line\n")
    rows = list(expand_inputs(["none"], TAGGING, suffixes=frozenset()))
    assert [(row.id, row.input) for row in rows] == [("none/a.txt:1", "one line"), ("none/b.conllu:1", ["It"])]
    assert count_inputs(["none"], TAGGING, NO_FILES) == 2
    rows = list(expand_inputs(["none"], DataConfig(), suffixes=frozenset()))
    assert [row.id for row in rows] == ["none/a.txt:1"]


def test_manifests_of_other_kinds_stay_manifests_for_a_model_of_column_files(folder: Path) -> None:
    (folder / "a.jsonl").write_text(json.dumps({"form": ["It", "works"]}) + "\n")
    (row,) = expand_inputs(["a.jsonl"], TAGGING, suffixes=frozenset())
    assert (row.id, row.input) == ("a.jsonl:1", ["It", "works"])
    (folder / "a.tsv").write_text("form\tupos\nIt works\tPRON VERB\n")
    (row,) = expand_inputs(["a.tsv"], DataConfig(input="form"), suffixes=frozenset())
    assert row.input == "It works"


def test_a_column_file_that_is_missing_or_has_no_such_column_is_told_at_once(folder: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.conll: there is no such file"):
        check_inputs(["gone.conll"], TAGGING, suffixes=frozenset())
    (folder / "a.conll").write_text("It PRON\n")
    with pytest.raises(DataError, match=r"a\.conll, row 1: has no column 3 \(data\.input\); known: 1, 2"):
        check_inputs(["a.conll"], DataConfig(format="columns", input="3"), suffixes=frozenset())


def test_text_may_come_through_a_pipe_with_a_name(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert count_inputs(["pipe"], DataConfig(), NO_FILES) is None  # not by reading it
    writer = threading.Thread(target=lambda: (folder / "pipe").write_text("one\ntwo\n"))
    writer.start()
    rows = list(expand_inputs(["pipe"], DataConfig(), suffixes=frozenset()))
    writer.join()
    assert [row.input for row in rows] == ["one", "two"]


# Data sets


@pytest.fixture
def saved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    rows = datasets.Dataset.from_dict({"path": [str(folder / "a.wav"), str(folder / "b.wav")]})
    rows.save_to_disk(str(folder / "saved"))
    datasets.DatasetDict({"train": rows, "dev": rows.select([1])}).save_to_disk(str(folder / "splits"))
    return folder


def test_a_saved_data_set_is_known_by_its_folder(saved: Path) -> None:
    both = [f"{saved}/a.wav", f"{saved}/b.wav"]
    assert names("saved") == names("hub:saved") == names("splits") == names("hub:splits@train") == both
    assert names("hub:splits@dev") == both[1:]
    shutil.move("saved", "at@home")
    assert names("at@home") == both
    for argument, count in (("at@home", 2), ("splits", 2), ("hub:splits@dev", 1)):
        assert count_inputs([argument], DataConfig(), AUDIO_SUFFIXES) == count
    for unknown in ("hub:splits@test", "hub:nobody/nothing", "hub:deep"):
        assert count_inputs([unknown], DataConfig(), AUDIO_SUFFIXES) is None


def test_the_format_of_the_recipe_is_that_of_its_own_sources(saved: Path) -> None:
    for wanted in ("hub", "parquet", "folder"):
        rows = expand_inputs(["a.wav", "deep/list.tsv", "saved"], DataConfig(format=wanted), suffixes=AUDIO_SUFFIXES)
        assert len(list(rows)) == 5


def test_rows_without_any_name_go_by_their_manifest_and_number(folder: Path) -> None:
    content = (folder / "a.wav").read_bytes()
    pyarrow.parquet.write_table(pyarrow.table({"path": [content, content]}), "one.parquet")
    assert names("one.parquet", "one.parquet") == ["one.parquet:1", "one.parquet:2"] * 2
    (folder / "x.tsv").write_text("path\tname\na\t2\nb\t1\n")
    rows = list(expand_inputs(["x.tsv"], DataConfig(id="name"), suffixes=frozenset()))
    assert [row.id for row in rows] == ["2", "1"]


# Counting


@pytest.mark.parametrize("suffixes", [AUDIO_SUFFIXES, NO_FILES])
def test_as_many_are_counted_as_come(suffixes: Suffixes, folder: Path) -> None:
    (folder / "deep" / "text.txt").write_text("one\n\n \ntwo")
    (folder / "x.csv").write_text('path,more\na.wav,"1\n2"\n\nb.wav,"\nc.wav\n')
    for arguments in (
        ["a.wav", "gone.wav", "*.mp3", "none", "deep", "deep/**", "**/*.wav", "x.csv", "gone.csv", "notes.txt"],
        ["deep"],
        ["x.csv", "deep/list.tsv"],
        ["none"],
    ):
        rows = list(expand_inputs(arguments, DataConfig(), suffixes=suffixes))
        assert count_inputs(arguments, DataConfig(), suffixes) == len(rows) > 0


def test_what_cannot_be_counted_is_unknown(folder: Path) -> None:
    (folder / "x.parquet").write_text("none")
    assert count_inputs(["a.wav", "-"], DataConfig(), AUDIO_SUFFIXES) is None
    assert count_inputs(["a.wav", "x.parquet"], DataConfig(), AUDIO_SUFFIXES) is None
    assert count_inputs([], DataConfig(), AUDIO_SUFFIXES) == 0
