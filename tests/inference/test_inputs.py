import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seqpipe.data.rows import AudioSpan, Row
from seqpipe.errors import DataError
from seqpipe.inference.failure import Failure
from seqpipe.inference.inputs import expand_inputs
from seqpipe.recipe import DataConfig


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
    return list(expand_inputs(arguments, DataConfig(**config), reads_files=True))


def names(*arguments: str) -> list[str]:
    return [row.id for row in expand(*arguments)]


def test_files_folders_and_globs_give_files(folder: Path) -> None:
    assert names("b.wav", "a.wav", "b.wav") == ["b.wav", "a.wav", "b.wav"]  # as given, repeats too
    assert names("deep") == ["deep/d[1].wav", "deep/er/c.wav"]
    assert names("*.wav") == ["a.wav", "b.wav"]
    assert names("**/*.wav") == ["a.wav", "b.wav", "deep/d[1].wav", "deep/er/c.wav"]
    assert names(f"{folder}/deep/*/") == [f"{folder}/deep/er/c.wav"]
    assert names("deep/d[1].wav") == ["deep/d[1].wav"]  # a file of that name comes before a pattern
    assert all(row.input == AudioSpan(Path(row.id)) for row in expand("**/*.wav", "a.wav", "deep"))


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
    assert gone == Row("gone.wav", AudioSpan(Path("gone.wav")))  # reading it will say so
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

    assert next(expand_inputs(arguments(), DataConfig(), reads_files=True)).id == "a.wav"


def test_columns_of_spans_that_are_not_read_are_told_once(folder: Path) -> None:
    (folder / "spans.tsv").write_text("path\tstart\na.wav\t0.5\na.wav\t1\n")
    told: list[str] = []
    rows = list(expand_inputs(["spans.tsv"], DataConfig(), reads_files=True, notice=told.append))
    assert [row.input for row in rows] == [AudioSpan(Path("a.wav"))] * 2
    assert told == [
        "spans.tsv: has a column start, and the recipe names no data.start and data.end, so whole files are read"
    ]
    list(expand_inputs(["spans.tsv"], DataConfig(start="start"), reads_files=True, notice=told.append))
    assert len(told) == 1


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_standard_input_gives_a_path_or_a_json_object_a_line(folder: Path, given: Callable[[str], None]) -> None:
    line = json.dumps({"path": "b.wav", "from": 0.25, "text": "ab"})
    given(f"a.wav\n\n{line}\r\n  spaced name.wav \nlast.wav")
    rows = list(expand_inputs(["-"], DataConfig(start="from"), reads_files=True))
    assert [row.id for row in rows] == ["a.wav", "b.wav@0.25", "  spaced name.wav ", "last.wav"]
    assert rows[1].input == AudioSpan(Path("b.wav"), 0.25)


def test_a_bad_line_of_standard_input_fails_alone(folder: Path, given: Callable[[str], None]) -> None:
    given('a.wav\n{"path": \n{"pth": "b.wav"}\n{"path": 5}\nb.wav\n')
    rows = expand("-")
    assert [row.id for row in rows] == ["a.wav", "line 2", "line 3", "line 4", "b.wav"]
    assert [isinstance(row, Failure) for row in rows] == [False, True, True, True, False]
    assert rows[1].message.startswith("standard input, row 2: is not JSON")
    assert rows[2].message == "standard input, row 3: has no column path (data.input); did you mean pth?"


def test_a_bad_start_fails_alone(folder: Path, given: Callable[[str], None]) -> None:
    given('{"path": "a.wav", "from": "0:30"}\n{"path": "a.wav", "from": 1}\n')
    bad, good = expand_inputs(["-"], DataConfig(start="from"), reads_files=True)
    assert (bad.kind, bad.message) == (
        "bad value",
        "standard input, row 1 (a.wav): from should be seconds, at least 0; received '0:30'",
    )
    assert good.input == AudioSpan(Path("a.wav"), 1.0)
