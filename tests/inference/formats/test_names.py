from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.inference.formats.names import NewFiles


def made(folder: Path, ids: list[str], **options: Any) -> list[str]:
    """Names of the files that the ids got, with each id in its file."""
    files = NewFiles(folder, ending=".srt", **options)
    names = []
    for row_id in ids:
        name, file = files.open(row_id)
        with file:
            file.write(row_id.encode("utf-8", "surrogatepass"))
        names.append(name)
    return names


@pytest.mark.parametrize(
    ("row_id", "name"),
    [
        ("a/b.flac", "a/b"),
        ("/data/a/b.WAV", "data/a/b"),
        ("list@3.2", "list@3.2"),
        ("a.wav@3.2", "a.wav@3.2"),
        ("talk.v2", "talk.v2"),
        ("a//./b c.wav", "a/b c"),
        ("../../etc/passwd", "__/__/etc/passwd"),
        ("a/../..", "a/__/__"),
        (".wav", ".wav"),
        ("...wav", ".."),
        ("", "_"),
        ("/", "_"),
        ("a\x00b\n\\c", "a_b__c"),
        (b"caf\xe9.wav".decode("utf-8", "surrogateescape"), "caf_udce9"),
        ("a.srt/b.wav", "a.srt_/b"),
        ("failures.jsonl", "failures.jsonl"),
        ("failures.jsonl/b", "failures.jsonl_/b"),
    ],
)
def test_an_id_gives_a_name(tmp_path: Path, row_id: str, name: str) -> None:
    assert made(tmp_path, [row_id]) == [name]
    assert (tmp_path / f"{name}.srt").is_file()


def test_where_white_space_may_not_be_it_is_replaced(tmp_path: Path) -> None:
    assert made(tmp_path, ["a b/c\u2003d.wav", "a_b/c_d.wav"], spaces=False) == ["a_b/c_d", "a_b/c_d.wav"]


def test_ids_that_share_a_name_get_others_always_the_same(tmp_path: Path) -> None:
    ids = ["a.wav", "a.flac", "a.wav", "a", "/a", "a~2.wav", "b/../a", "a.srt/x", "x/a"]
    expected = ["a", "a.flac", "a.wav", "a~2", "a~3", "a~2.wav", "b/__/a", "a.srt_/x", "x/a"]
    for again in ("one", "two"):
        (tmp_path / again).mkdir()
        assert made(tmp_path / again, ids) == expected
    (tmp_path / "many").mkdir()
    assert made(tmp_path / "many", ["a"] * 50) == ["a", *(f"a~{number}" for number in range(2, 51))]


def test_names_that_are_too_long_are_cut_and_told_apart(tmp_path: Path) -> None:
    ids = [
        "ä" * 300 + ".wav",
        "ä" * 300 + "b.wav",
        "ä" * 300 + "/" + "ä" * 300 + ".wav",
        "deep/" * 1000 + "a.wav",
        "deep/" * 1001 + "a.wav",
        "deep/" * 1000 + "a.wav",
    ]
    names = made(tmp_path, ids)
    assert len(set(names)) == len(ids)
    assert all(len(part.encode()) <= 210 for name in names for part in name.split("/"))
    assert [name.rpartition("~")[0] for name in names[3:5]] == ["a", "a"]


@given(
    ids=st.lists(
        st.one_of(
            st.text(st.characters(), max_size=20),  # lone surrogates too
            st.text(alphabet="aA./\\~ \x00\ud800\udce9é", max_size=8),
            st.sampled_from(["a.wav", "a.flac", "a.wav.srt", "a.srt/b", "..", "../..", "a" * 300, "é" * 300]),
        ),
        max_size=15,
    ),
    spaces=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_no_id_is_lost_or_leaves_the_folder(
    ids: list[str], spaces: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("names")
    folder = outside / "1" / "2" / "3"
    folder.mkdir(parents=True)
    names = made(folder, ids, spaces=spaces)
    files = {path for path in outside.rglob("*") if path.is_file()}
    assert files == {folder / f"{name}.srt" for name in names}
    assert len(files) == len(ids)
    for row_id, name in zip(ids, names, strict=True):
        assert (folder / f"{name}.srt").read_bytes() == row_id.encode("utf-8", "surrogatepass")
        assert spaces or not any(sign.isspace() for sign in name)
