from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.data.folder import audio_files
from seqpipe.data.source import read_rows
from seqpipe.errors import DataError
from seqpipe.recipe import DataConfig


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings on two levels, each with its text beside it, and files that are no recordings."""
    for name in ("b/2.flac", "b/1.WAV", "a.wav", "c.d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(80), 8000)
        (tmp_path / name).with_suffix(".txt").write_text(f"text of {name}\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("of nothing")
    (tmp_path / "folder.wav").mkdir()
    return tmp_path


def test_a_folder_gives_each_recording_with_its_text_in_order_of_path(folder: Path) -> None:
    rows = list(read_rows(str(folder), DataConfig(), reads_files=True))
    assert [row.id for row in rows] == ["a.wav", "b/1.WAV", "b/2.flac", "c.d.wav"]
    assert [row.target for row in rows] == [f"text of {row.id}" for row in rows]
    assert all(row.input.source.is_file() for row in rows)


def test_column_names_of_the_recipe_fit_a_folder_too(folder: Path) -> None:
    config = DataConfig(input="audio", target="words", id="utterance")
    rows = list(read_rows(str(folder), config, reads_files=True))
    assert [row.id for row in rows] == ["a", "b/1", "b/2", "c.d"]
    assert [row.target for row in rows] == [f"text of {name}" for name in ("a.wav", "b/1.WAV", "b/2.flac", "c.d.wav")]


@pytest.mark.parametrize("name", ["a", "b/2"])
def test_a_recording_without_text_is_a_bad_row_only_where_targets_are_needed(name: str, folder: Path) -> None:
    (folder / f"{name}.txt").unlink()
    unlabelled = list(read_rows(str(folder), DataConfig(), reads_files=True, needs_target=False))
    assert [row.problem for row in unlabelled] == [None] * 4
    rows = list(read_rows(str(folder), DataConfig(), reads_files=True))
    (bad,) = [row for row in rows if row.problem is not None]
    assert bad.id.startswith(name)
    assert bad.problem is not None
    assert bad.problem.kind == "no target"


def test_a_text_that_is_no_utf8_is_an_error_that_names_it(folder: Path) -> None:
    (folder / "a.txt").write_bytes("grün".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt: is not UTF-8"):
        list(read_rows(str(folder), DataConfig(), reads_files=True))


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing here")
    assert list(audio_files(tmp_path)) == []
    with pytest.raises(DataError, match=r"holds no recordings"):
        list(read_rows(str(tmp_path), DataConfig(), reads_files=True))
