"""Texts by themselves: lines and columns, and what is wrong with them."""

import gzip
import io
import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from seqpipe.data.texts import read_texts
from seqpipe.errors import ConfigError, DataError


def texts(path: Path, column: str | None = None) -> list[str]:
    return [text for _, text in read_texts(str(path), column)]


def test_lines_and_columns_are_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "\ufeffone two\r\n\nthree\u2028four\n".encode()
    expected = ["one two", "", "three\u2028four"]
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(content))
    assert texts(tmp_path / "a.txt") == expected
    assert texts(tmp_path / "a.txt.gz") == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert list(read_texts("-")) == [(f"standard input, line {n}", text) for n, text in enumerate(expected, 1)]
    (tmp_path / "a.tsv").write_text("id\ttext\n1\tone two\n2\tthree\n")
    (tmp_path / "a.jsonl").write_text('{"text": "one two"}\n{"text": "three"}\n')
    assert texts(tmp_path / "a.tsv", "text") == ["one two", "three"]
    assert texts(tmp_path / "a.jsonl", "text") == ["one two", "three"]


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n\xff\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: is not UTF-8 text"):
        texts(path)
    path.write_bytes(b"one\nt\0wo\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: holds a null character"):
        texts(path)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n" * 1000)[:-9])
    with pytest.raises(DataError, match="can't be unpacked"):
        texts(tmp_path / "a.txt.gz")
    with pytest.raises(ConfigError, match=r"b\.txt: no such file; did you mean a\.txt"):
        texts(tmp_path / "b.txt")
    with pytest.raises(ConfigError, match="is a folder"):
        texts(tmp_path)


def test_a_manifest_needs_a_column_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": 2}\n')
    with pytest.raises(ConfigError, match="--column"):
        texts(path)
    with pytest.raises(DataError, match=r"row 1: has no column txt; did you mean text\?"):
        texts(path, "txt")
    with pytest.raises(DataError, match="row 2: text should be a text; received 2"):
        texts(path, "text")


def test_a_pipe_is_read_as_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "texts"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(b"turn left\nstop\n",))
    writer.start()
    found = [text for _, text in read_texts(str(pipe))]
    writer.join()
    assert found == ["turn left", "stop"]
