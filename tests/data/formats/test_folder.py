import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.config.recipe import DataConfig
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.core.suffixes import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from seqpipe.data.formats.folder import files_below, transcript_names
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import DataError


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
    rows = list(read_rows(str(folder), DataConfig(), suffixes=AUDIO_SUFFIXES))
    assert [row.id for row in rows] == ["a.wav", "b/1.WAV", "b/2.flac", "c.d.wav"]
    assert [row.target for row in rows] == [f"text of {row.id}" for row in rows]
    assert all(row.input.source.is_file() for row in rows)


def test_column_names_of_the_recipe_fit_a_folder_too(folder: Path) -> None:
    config = DataConfig(input="audio", target="words", id="utterance")
    rows = list(read_rows(str(folder), config, suffixes=AUDIO_SUFFIXES))
    assert [row.id for row in rows] == ["a", "b/1", "b/2", "c.d"]
    assert [row.target for row in rows] == [f"text of {name}" for name in ("a.wav", "b/1.WAV", "b/2.flac", "c.d.wav")]


@pytest.mark.parametrize("name", ["a", "b/2"])
def test_a_recording_without_text_is_a_bad_row_only_where_targets_are_needed(name: str, folder: Path) -> None:
    (folder / f"{name}.txt").unlink()
    unlabelled = list(read_rows(str(folder), DataConfig(), suffixes=AUDIO_SUFFIXES, needs_target=False))
    assert [row.problem for row in unlabelled] == [None] * 4
    rows = list(read_rows(str(folder), DataConfig(), suffixes=AUDIO_SUFFIXES))
    (bad,) = [row for row in rows if row.problem is not None]
    assert bad.id.startswith(name)
    assert bad.problem is not None
    assert bad.problem.kind == "no target"
    looked_for = [path.name for path in transcript_names(folder / f"{name}.wav")]
    assert (
        str(bad.problem) == f"has no text beside it; looked for {' or '.join(looked_for)} in {(folder / name).parent}"
    )


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        ("grün".encode("latin-1"), "bad value", r"is not UTF-8 text \(byte 0xfc\)"),
        (
            "grün".encode("utf-16"),
            "bad value",
            r"is not UTF-8 text but UTF-16, by the byte order mark .*save it as UTF-8",
        ),
        (b"a" * (MAX_LINE_BYTES + 1), "too long", "has more than 4,194,304 bytes"),
        (None, "unreadable", r"can't be read \(No such file"),
    ],
)
def test_a_text_that_cannot_be_read_is_its_own_row_s_problem(
    content: bytes | None, kind: str, what: str, folder: Path
) -> None:
    if content is None:
        (folder / "a.txt").unlink()
        (folder / "a.txt").symlink_to("gone.txt")
    else:
        (folder / "a.txt").write_bytes(content)
    bad, *good = read_rows(str(folder), DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert [row.problem for row in good] == [None] * 3
    assert (bad.id, bad.target, bad.columns["text"]) == ("a.wav", None, None)
    assert bad.problem is not None
    assert bad.problem.kind == kind
    assert re.match(rf"{folder}/a\.txt: {what}", str(bad.problem))
    unlabelled = list(read_rows(str(folder), DataConfig(), suffixes=AUDIO_SUFFIXES, needs_target=False))
    assert [row.problem for row in unlabelled] == [None] * 4


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("nothing here")
    assert list(files_below(tmp_path, AUDIO_SUFFIXES)) == []
    with pytest.raises(DataError, match=r"holds no file to read \(.*\.aif, "):
        list(read_rows(str(tmp_path), DataConfig(), suffixes=AUDIO_SUFFIXES))


# Text


def text_rows(folder: Path, *, needs_target: bool = True, **config: str) -> list[Row]:
    return list(read_rows(str(folder), DataConfig(**config), suffixes=frozenset(), needs_target=needs_target))


def test_a_folder_of_text_gives_each_file_with_the_name_of_its_folder(tmp_path: Path) -> None:
    texts = {"neg/b.txt": "no,\nnever ", "pos/2/yes/a.txt": "\ufeffyes\r\n", "pos/a.txt": " oh yes"}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    (tmp_path / "pos" / "a.md").write_text("no text of the set")
    rows = text_rows(tmp_path)
    assert [(row.id, row.input, row.target) for row in rows] == [
        ("neg/b.txt", "no,\nnever", "neg"), ("pos/2/yes/a.txt", "yes", "yes"), ("pos/a.txt", "oh yes", "pos"),
    ]  # fmt: skip
    rows = text_rows(tmp_path, input="text", target="label", id="name")
    assert rows[0].columns == {"name": "neg/b", "text": "no,\nnever", "label": "neg"}
    assert rows[0].id == "neg/b"


def test_a_text_without_a_class_is_a_bad_row_only_where_targets_are_needed(tmp_path: Path) -> None:
    (tmp_path / "pos").mkdir()
    (tmp_path / "pos" / "1.txt").write_text("yes")
    (tmp_path / "2.txt").write_text("perhaps")
    assert [row.problem for row in text_rows(tmp_path, needs_target=False)] == [None, None]
    first, second = text_rows(tmp_path)
    assert first.problem is not None
    assert (first.id, first.problem.kind) == ("2.txt", "no target")
    assert second.problem is None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"gr\xfcn", r"is not UTF-8 text \(byte 0xfc\)"),
        ("grün".encode("utf-16"), r".* but UTF-16, .*"),
        (b"a\0b", "holds a null character"),
    ],
)
def test_a_text_that_cannot_be_read_is_a_bad_row_that_names_it(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "pos").mkdir()
    (tmp_path / "pos" / "1.txt").write_bytes(content)
    (tmp_path / "pos" / "2.txt").write_text("good")
    (tmp_path / "pos" / "3.txt").symlink_to("gone.txt")
    bad, good, gone = text_rows(tmp_path)
    assert (bad.id, good.input, gone.id) == ("pos/1.txt", "good", "pos/3.txt")
    assert re.fullmatch(rf"{tmp_path}/pos/1\.txt: {what}", str(bad.problem))
    assert gone.problem is not None
    assert gone.problem.kind == "unreadable"


def test_a_folder_without_texts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(DataError, match=r"holds no text \(\.txt\)"):
        text_rows(tmp_path)


def test_a_text_that_is_too_long_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b" / "1.txt").write_text("a" * (MAX_LINE_BYTES + 1))
    texts = list(read_rows(str(folder), DataConfig(format="folder", id="name"), suffixes=frozenset()))
    (long,) = [row for row in texts if row.problem is not None and row.problem.kind == "too long"]
    assert long.id == "b/1.txt"
    assert len(texts) == 5


def test_line_ends_of_a_text_beside_a_recording_are_line_feeds(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\r\n")
    row = next(iter(read_rows(str(folder), DataConfig(), suffixes=AUDIO_SUFFIXES)))
    assert row.target == "one\ntwo\nthree"


def test_ground_truth_lies_beside_lines_as_ocr_programs_have_it(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    texts = {"1.gt.txt": "truth", "1.txt": "a guess", "2.txt": "own", "3.gt.txt": "of both", "c.d.gt.txt": "dotted"}
    for name, text in texts.items():
        (tmp_path / "page" / name).write_text(text)
    for name in ("1.png", "2.tif", "3.bin.png", "3.nrm.png", "c.d.jpg", "c.e.jpg"):
        (tmp_path / "page" / name).touch()
    rows = list(read_rows(str(tmp_path), DataConfig(), suffixes=IMAGE_SUFFIXES))
    assert [row.target for row in rows] == ["truth", "own", "of both", "of both", "dotted", None]
    assert "looked for c.e.gt.txt or c.e.txt in" in str(rows[-1].problem)
    assert [str(path) for path in transcript_names(Path("a/b.bin.png"))] == [
        "a/b.bin.gt.txt",
        "a/b.bin.txt",
        "a/b.gt.txt",
        "a/b.txt",
    ]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_text_belongs_to_its_recording_in_any_normalization(forms: tuple[str, str], tmp_path: Path) -> None:
    sound, text = (unicodedata.normalize(form, "étude") for form in forms)
    soundfile.write(tmp_path / f"{sound}.wav", np.zeros(80), 8000)
    (tmp_path / f"{text}.txt").write_text("its text")
    (row,) = read_rows(str(tmp_path), DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert (row.target, row.id) == ("its text", f"{sound}.wav")
