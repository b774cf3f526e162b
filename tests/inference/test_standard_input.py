import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.answers.failure import Failure
from seqpipe.config.recipe import DataConfig
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.core.suffixes import AUDIO_SUFFIXES, Suffixes
from seqpipe.data.rows import Row
from seqpipe.inference.standard_input import read_standard_input

NO_FILES: Suffixes = frozenset()
"""Of inputs that are no files."""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Row | Failure]]:
    """What standard input with this content gives."""

    def read(content: bytes, *, suffixes: Suffixes = AUDIO_SUFFIXES, **config: str) -> list[Row | Failure]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        return list(read_standard_input(DataConfig(**config), suffixes=suffixes))

    return read


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where to write what standard input gives; it stays open."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield writing
        os.close(writing)


@pytest.mark.parametrize("suffixes", [AUDIO_SUFFIXES, NO_FILES])
def test_a_line_is_an_input_before_anything_comes_after_it(suffixes: Suffixes, pipe: int) -> None:
    rows = read_standard_input(DataConfig(), suffixes=suffixes)
    for number in range(1, 4):  # a reader that waited for more would wait for ever
        os.write(pipe, f"{number}.wav\n".encode())
        row = next(rows)
        assert row.id == (f"{number}.wav" if suffixes else f"line {number}")
    rows.close()


def test_a_line_may_come_in_pieces(pipe: int) -> None:
    rows = read_standard_input(DataConfig(), suffixes=AUDIO_SUFFIXES)
    os.write(pipe, b"a.wav\nb")
    assert next(rows).id == "a.wav"
    os.write(pipe, b".wav\n")
    assert next(rows).id == "b.wav"
    rows.close()


def test_names_that_end_with_null_characters_may_hold_line_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"two\nlines.wav", " spaced .wav", "plain.wav", os.fsdecode(b"gr\xfcn.wav")} | {
        f"{number:04d}{'x' * 200}\n.wav"
        for number in range(1000)  # many pieces
    }
    for name in names:
        (tmp_path / name).touch()
    with subprocess.Popen(["find", tmp_path, "-name", "*.wav", "-print0"], stdout=subprocess.PIPE) as find:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(find.stdout))
        rows = list(read_standard_input(DataConfig(), suffixes=AUDIO_SUFFIXES))
    assert len(rows) == len(names)
    assert {row.id for row in rows} == {f"{tmp_path}/{name}" for name in names}


def test_a_path_is_its_bytes_utf8_or_not(read: Callable[..., list[Row | Failure]]) -> None:
    rows = read(b"gr\xfcn.wav\n\xc3\xbc.wav\r\n")
    assert [os.fsencode(row.input.source) for row in rows] == [b"gr\xfcn.wav", b"\xc3\xbc.wav"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(read: Callable[..., list[Row | Failure]]) -> None:
    assert [row.id for row in read(b'\xef\xbb\xbf{"path": "a.wav"}\nb.wav')] == ["a.wav", "b.wav"]


TEXT = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=("Cs",)))


@given(lines=st.lists(TEXT.filter(lambda line: not line.lstrip().startswith(("{", "\ufeff")))))
def test_text_comes_as_it_is_a_row_a_line(lines: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        rows = list(read_standard_input(DataConfig(), suffixes=frozenset()))
    kept = [(f"line {number}", line) for number, line in enumerate(lines, 1) if line.encode().strip()]
    assert [(row.id, row.input) for row in rows] == kept


def test_text_may_come_in_json_rows(read: Callable[..., list[Row | Failure]]) -> None:
    given = [{"source": "{one"}, {"source": "two", "name": "second"}]
    rows = read(
        "\n".join(map(json.dumps, given)).encode() + b"\nthree", suffixes=frozenset(), input="source", id="name"
    )
    assert [(row.id, row.input) for row in rows] == [("line 1", "{one"), ("second", "two"), ("line 3", "three")]


def test_a_line_that_cannot_be_read_fails_in_its_place(read: Callable[..., list[Row | Failure]]) -> None:
    deep = b'{"path": ' + b"[" * 100_000
    rows = read(b"one\ngr\xfcn\n{two\n" + deep + b"\nfour", suffixes=frozenset())
    assert [isinstance(row, Failure) for row in rows] == [False, True, True, True, False]
    assert [row.id for row in rows] == [f"line {number}" for number in range(1, 6)]
    assert rows[1].message == "standard input, row 2: is not UTF-8 text (byte 0xfc)"
    (null,) = read(b"a\0b\n", suffixes=frozenset())
    assert (null.kind, null.message) == ("bad value", "standard input, row 1: holds a null character")
    (half,) = read(b'{"path": "\\ud800"}', suffixes=frozenset())
    assert half.message.endswith("holds half a surrogate pair (U+D800), which is no character")
    assert rows[2].message.startswith("standard input, row 3: is not JSON")
    assert rows[2].message.endswith("a text that begins with { has to stand in a JSON object")
    (bad,) = read(b'{"path": "gr\xfcn.wav"}')
    assert (bad.kind, bad.message) == ("bad value", "standard input, row 1: is not UTF-8 text (byte 0xfc)")


def test_standard_input_that_cannot_be_read_is_one_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python leaves it under `<&-`
    (closed,) = read_standard_input(DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert (closed.id, closed.kind) == ("-", "missing")
    with os.fdopen(os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)) as write_only:
        monkeypatch.setattr(sys, "stdin", write_only)
        (unreadable,) = read_standard_input(DataConfig(), suffixes=AUDIO_SUFFIXES)
    assert (unreadable.id, unreadable.kind) == ("-", "unreadable")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("extra", [0, 1, 3 * MAX_LINE_BYTES])
def test_a_line_that_is_too_long_fails_in_its_place(
    end: bytes, extra: int, read: Callable[..., list[Row | Failure]]
) -> None:
    suffixes = AUDIO_SUFFIXES if end == b"\0" else NO_FILES
    long = b"a" * (MAX_LINE_BYTES + extra)
    for content in (b"a" + end + long + end + b"b" + end, b"a" + end + end + long):
        *first, last = read(content, suffixes=suffixes)
        found = first[1] if content.endswith(b"b" + end) else last
        if extra:
            assert isinstance(found, Failure)
            assert (found.kind, found.id) == ("too long", "line 2" if found is not last else "line 3")
            assert "more than 4,194,304 bytes" in found.message
        else:
            assert isinstance(found, Row)
        if found is not last:
            assert isinstance(last, Row)
            assert last.id == ("b" if suffixes else "line 3")
