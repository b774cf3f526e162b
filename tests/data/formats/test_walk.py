import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.formats.folder import files_below
from seqpipe.data.formats.walk import endings, find_files
from seqpipe.errors import DataError

# Around the slash in the order of characters ("-" and "." before it, "0" after it), where sorting strings goes wrong.
NAME = st.text("a-.0 \nÜ", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
TREE = st.recursive(st.none(), lambda inner: st.dictionaries(NAME, inner, max_size=4), max_leaves=12)


def plant(folder: Path, tree: object) -> None:
    """Folders with a recording and another file in each."""
    folder.mkdir()
    (folder / "x.WAV").touch()
    (folder / "x.txt").touch()
    for name, inner in tree.items() if isinstance(tree, dict) else ():
        plant(folder / name, inner)
        (folder / f"{name}.wav").touch()


def found(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in find_files(folder, {".wav"}) if isinstance(path, Path)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plant(tmp_path / "root", {"a": {"inner": None}, "b": None})
    return tmp_path / "root"


@given(TREE)
def test_files_come_in_the_order_of_their_paths_sorted(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    root = tmp_path_factory.mktemp("tree") / "root"
    plant(root, tree)
    expected = sorted(path for path in root.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    assert list(find_files(root, {".wav"})) == expected


def test_a_folder_is_looked_into_when_its_turn_comes(folder: Path) -> None:
    files = find_files(folder, {".wav"})
    assert next(files) == folder / "a" / "inner" / "x.WAV"
    (folder / "b" / "late.wav").touch()
    assert folder / "b" / "late.wav" in list(files)


def test_a_linked_folder_is_followed_under_the_name_of_the_link(folder: Path, tmp_path: Path) -> None:
    plant(tmp_path / "elsewhere", None)
    (folder / "a" / "link").symlink_to(tmp_path / "elsewhere")
    assert "a/link/x.WAV" in found(folder)


def test_links_in_a_circle_end(folder: Path) -> None:
    without = found(folder)
    (folder / "a" / "inner" / "up").symlink_to(folder)
    (folder / "a" / "inner" / "self").symlink_to("self")
    (folder / "a" / "inner" / "here").symlink_to(".")
    assert found(folder) == without
    (folder / "b" / "to_a").symlink_to(folder / "a")
    (folder / "a" / "to_b").symlink_to(folder / "b")
    names = found(folder)
    assert {"a/to_b/x.WAV", "b/to_a/x.WAV"} <= set(names)
    assert not any("to_a/to_b" in name or "to_b/to_a" in name for name in names)


def test_a_link_to_nowhere_is_a_file_that_is_missing(folder: Path) -> None:
    (folder / "gone.wav").symlink_to("nowhere.wav")
    (folder / "round.wav").symlink_to("round.wav")
    (folder / "gone.txt").symlink_to("nowhere.txt")
    assert {"gone.wav", "round.wav"} <= set(found(folder))
    assert "gone.txt" not in found(folder)


def test_what_is_no_file_is_passed_over(folder: Path) -> None:
    without = found(folder)
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    assert found(folder) == without


def test_a_name_that_is_no_utf8_is_found_as_it_is(folder: Path) -> None:
    name = os.fsdecode(b"gr\xfcn.wav")
    (folder / name).touch()
    assert name in found(folder)


def deepen(folder: Path) -> None:
    """Folders in it down to a path that is too long for the system."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_a_folder_that_cannot_be_read_has_its_place_and_the_others_go_on(folder: Path) -> None:
    without = list(find_files(folder, {".wav"}))
    deepen(folder / "b")
    everything = list(find_files(folder, {".wav"}))
    error = everything.pop(4)
    assert isinstance(error, OSError)
    assert str(error.filename).startswith(f"{folder}/b/ddd")
    assert everything == without
    assert everything[3:5] == [folder / "a.wav", folder / "b" / "x.WAV"]  # it stood between these
    with pytest.raises(DataError, match=r"ddd: the folder can't be read \(.+\)"):
        list(files_below(folder, AUDIO_SUFFIXES))


def test_a_folder_that_is_not_there_is_its_own_error(tmp_path: Path) -> None:
    (error,) = find_files(tmp_path / "gone", {".wav"})
    assert isinstance(error, FileNotFoundError)


def test_what_is_passed_over_is_counted_by_ending(folder: Path) -> None:
    os.mkfifo(folder / "pipe.wav")
    (folder / "b" / "README").touch()
    (folder / "b" / "y.M4A").touch()
    (folder / "b" / "._x.wav").touch()  # what macOS writes beside x.wav on disks of other systems
    counted: Counter[str] = Counter()
    assert len(list(find_files(folder, {".wav"}, counted))) == len(found(folder))
    texts = sum(path.suffix == ".txt" for path in folder.rglob("*"))
    assert counted == {".txt": texts, ".wav": 2, "": 1, ".m4a": 1}
    assert endings(counted).startswith(f"{texts} .txt, ")
    assert "1 without an ending" in endings(counted)
