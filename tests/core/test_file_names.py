import json
import os
import unicodedata
from pathlib import Path

import pytest

from seqpipe.config.recipe import DataConfig
from seqpipe.core.file_names import on_disk
from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.source import is_there, read_rows
from seqpipe.inference.inputs import expand_inputs

COMPOSED = "\u00e9tude \u00fc"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
FORMS = pytest.mark.parametrize(("stored", "written"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])


@FORMS
def test_folders_and_files_go_by_any_normalization(stored: str, written: str, tmp_path: Path) -> None:
    path = tmp_path / stored / "plain" / f"{stored}.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert on_disk(tmp_path / written / "plain" / f"{written}.wav").samefile(path)


def test_a_name_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    for name in (COMPOSED, DECOMPOSED):
        (tmp_path / name).write_text(name)
    for name in (COMPOSED, DECOMPOSED):
        assert str(on_disk(tmp_path / name)) == str(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["", "plain.wav", "\u00e8.wav", "a/\u00e9.wav", "\u00e9\0.wav", "\udcff.wav", "\u00e9" * 300]
)
def test_what_is_not_there_stays_as_it_was_written(name: str, tmp_path: Path) -> None:
    (tmp_path / DECOMPOSED).mkdir()
    for path in (Path(name), tmp_path / name, tmp_path / COMPOSED / f"x{name}"):
        assert on_disk(path) == path


def test_a_new_file_is_found_though_its_folder_was_looked_at_before(tmp_path: Path) -> None:
    assert on_disk(tmp_path / COMPOSED) == tmp_path / COMPOSED
    os.utime(tmp_path, ns=(1, 1))
    (tmp_path / DECOMPOSED).touch()
    assert on_disk(tmp_path / COMPOSED).exists()


@FORMS
def test_a_manifest_of_another_normalization_than_its_files(stored: str, written: str, tmp_path: Path) -> None:
    root = tmp_path / stored
    root.mkdir()
    (root / f"{stored}.wav").write_bytes(b"x")
    (root / f"{stored}.jsonl").write_text(json.dumps({"path": f"{written}.wav", "text": "a"}))
    config = DataConfig(root=str(tmp_path / written), train=f"{written}.jsonl")
    assert is_there(config.train or "", config)
    (row,) = read_rows(f"{written}.jsonl", config, suffixes=AUDIO_SUFFIXES, root=tmp_path / written)
    assert (row.id, row.problem, row.input.source.exists()) == (f"{written}.wav", None, True)
    (given,) = expand_inputs([str(root / f"{written}.wav")], DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert given.input.source.exists()
    # On another machine, whose file system writes names in another way, it is the same data.
    assert row.input.identity() == FileSpan(root / f"{stored}.wav").identity() == (f"{COMPOSED}.wav", 1, 0.0, None)
