"""A file of text as inputs: a row a line."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from errno import ENOENT
from os import strerror
from pathlib import Path
from typing import BinaryIO

from seqpipe.answers.failure import Failure
from seqpipe.core.lines import TOO_LONG, bounded_lines
from seqpipe.data.rows import Row
from seqpipe.text.validity import unfit


def read_text_file(name: str, *, blanks: bool = False) -> Iterator[Row | Failure]:
    """Lines of a file as rows ``NAME:LINE``; blank ones are passed over, and counted.

    A line that is no UTF-8, holds a null character or is too long (`bounded_lines`) becomes a `Failure` in its place.

    Args:
        name: of the file.
        blanks: blank lines are rows too, of empty text: where each line has a counterpart elsewhere.

    Raises:
        OSError: the file can't be opened or read.
    """
    with _open(name) as file:
        for number, line in enumerate(bounded_lines(file), 1):
            if line is None:
                yield Failure(f"{name}:{number}", "too long", f"{name}, line {number}: {TOO_LONG}")
                continue
            if not blanks and not line.strip():
                continue
            content = line.removeprefix(BOM_UTF8) if number == 1 else line
            text = content.decode(errors="surrogateescape").rstrip("\r\n")
            if what := unfit(text):
                yield Failure(f"{name}:{number}", "bad value", f"{name}, line {number}: {what}")
            else:
                yield Row(f"{name}:{number}", text, number=number, source=name)


def count_text_file(name: str, *, blanks: bool = False) -> int:
    """How many rows and failures `read_text_file` will give; raises as it does."""
    with _open(name) as file:
        return sum(1 for line in bounded_lines(file) if line is None or blanks or line.strip())


def _open(name: str) -> BinaryIO:
    try:
        return Path(name).open("rb")
    except ValueError:  # a null character, say: no file can have such a name
        raise FileNotFoundError(ENOENT, strerror(ENOENT), name) from None
