"""Lines that are too long are passed over, and cost no memory."""

import gzip
import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.core import lines as module
from seqpipe.core.lines import MAX_LINE_BYTES, bounded_content, bounded_lines


def kept(line: Any, most: int) -> Any:
    """A line, unless it is longer without its end."""
    content = line if isinstance(line, bytes) else line.encode(errors="surrogateescape")
    return line if len(content.removesuffix(b"\n").removesuffix(b"\r")) <= most else None


@given(st.lists(st.sampled_from(["a", "é", "日", "\n", "\r", "\r\n", "aaaa", "\udcff"])).map("".join))
@pytest.mark.parametrize("newline", [b"", None, ""])
def test_lines_are_those_of_the_file_but_for_the_long_ones(newline: Any, content: str) -> None:
    data = content.encode(errors="surrogateescape")

    def opened() -> Any:
        if newline == b"":
            return io.BytesIO(data)
        return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", errors="surrogateescape", newline=newline)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_LINE_BYTES", 5)
        patch.setattr(module, "_BLOCK", 3)
        assert list(bounded_lines(opened())) == [kept(line, 5) for line in opened()]


@pytest.mark.parametrize("opener", [lambda path: path.open("rb"), lambda path: path.open(), gzip.open])
def test_memory_does_not_grow_with_a_line(opener: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with gzip.open(path, "wb", 1) if opener is gzip.open else path.open("wb") as file:
        file.write(b"first\n")
        for _ in range(16):
            file.write(b"a b " * (MAX_LINE_BYTES // 4))
        file.write(b"\nlast")
    tracemalloc.start()
    try:
        with opener(path) as file:
            found = list(bounded_lines(file))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [line and line[:4] for line in found] in ([b"firs", None, b"last"], ["firs", None, "last"])
    assert peak < 5 * MAX_LINE_BYTES


def test_the_longest_line_and_the_longest_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for extra, whole in ((0, True), (1, False)):
        content = b"a" * (MAX_LINE_BYTES + extra)
        path.write_bytes(content)
        assert bounded_content(path) == (content if whole else None)
        path.write_bytes(content + b"\r\nb\n")
        with path.open("rb") as file:
            assert list(bounded_lines(file)) == [content + b"\r\n" if whole else None, b"b\n"]
