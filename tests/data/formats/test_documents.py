from pathlib import Path

import pytest

from seqpipe.config.recipe import DataConfig
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import DataError

CONFIG = DataConfig(format="text", input="text", target="text", id="name")


def rows(source: Path) -> list[Row]:
    return list(read_rows(str(source), CONFIG, suffixes=frozenset()))


def test_a_file_is_one_document_from_its_first_sign_to_its_last(tmp_path: Path) -> None:
    (tmp_path / "play.txt").write_bytes(b"\nROMEO:\r\nAy me!\n\n")
    (row,) = rows(tmp_path / "play.txt")
    assert row.input == row.target == "\nROMEO:\nAy me!\n\n"
    assert row.id == "play"


def test_a_folder_is_its_files_in_order_of_path(tmp_path: Path) -> None:
    for name in ("b/1.txt", "a.txt", "c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [(row.id, row.input) for row in rows(tmp_path)] == [("a", "a.txt"), ("b/1", "b/1.txt")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n\n", "holds no text"),
        (b"", "holds no text"),
        (b"caf\xe9", "not UTF-8"),
        (b"a\0b", "null character"),
        (b"a" * (MAX_LINE_BYTES + 1), "more than"),
    ],
)
def test_a_document_that_can_t_be_used_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    (row,) = rows(tmp_path / "bad.txt")
    assert row.problem is not None
    assert message in str(row.problem)
    assert "bad.txt" in str(row.problem)


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no text"):
        rows(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        rows(tmp_path / "absent.txt")


def test_a_manifest_beside_documents_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text('{"name": "x", "text": "to be"}\n')
    (row,) = rows(tmp_path / "more.jsonl")
    assert (row.id, row.input) == ("x", "to be")
