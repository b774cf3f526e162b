"""Standard input as inputs: one a line, each as soon as it is there."""

from __future__ import annotations

import json
import os
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import cast

from seqpipe.answers.failure import Failure
from seqpipe.core.input import FileSpan
from seqpipe.core.lines import MAX_LINE_BYTES, TOO_LONG
from seqpipe.core.naming import Naming
from seqpipe.core.suffixes import Suffixes
from seqpipe.data.columns import make_row
from seqpipe.data.rows import Row
from seqpipe.errors import DataError
from seqpipe.text.validity import unfit

_WHERE = "standard input"


def read_standard_input(config: Naming, *, suffixes: Suffixes) -> Iterator[Row | Failure]:
    """A path a line (or the input itself, where inputs are no files), or a JSON object with the columns of a manifest.

    Blank lines are passed over, but for runs that were trained on parallel text (``format: parallel``), where each line
    has a counterpart. A path is taken as its bytes are, UTF-8 or not; paths may also end with a null
    character each, as ``find -print0`` writes them. Text is UTF-8 without null characters, and one that begins with
    ``{`` has to stand in a JSON object. A line that can't be read becomes a `Failure` in its place.
    """
    if sys.stdin is None:  # as under `<&-`
        yield Failure("-", "missing", f"{_WHERE}: is closed")
        return
    lines = _lines(_stream(), None if suffixes else b"\n")
    number = 0
    while True:
        number += 1
        try:
            line = next(lines)
        except StopIteration:
            return
        except OSError as error:  # opened for writing alone, say
            yield Failure("-", "unreadable", f"{_WHERE}: can't be read ({error.strerror})")
            return
        if line is None:
            yield Failure(f"line {number}", "too long", f"{_WHERE}, row {number}: {TOO_LONG}")
            continue
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip() or (config.format == "parallel" and not suffixes):
            yield _input(number, line, config, suffixes)


def _stream() -> BufferedReader:
    """A reader of its own: Python closes its at the end, and dies if a thread still waits in it for a line."""
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except (OSError, ValueError):  # something else stands in its place, or it can't be read: reading says so
        return cast(BufferedReader, sys.stdin.buffer)


def _input(number: int, line: bytes, config: Naming, suffixes: Suffixes) -> Row | Failure:
    has_columns = line.lstrip().startswith(b"{")
    if suffixes and not has_columns:
        path = os.fsdecode(line)
        return Row(path, FileSpan(Path(path)))

    def failure(message: str, kind: str = "bad value") -> Failure:
        return Failure(f"line {number}", kind, message)

    text = line.decode(errors="surrogateescape")
    if what := unfit(text):
        return failure(f"{_WHERE}, row {number}: {what}")
    if not has_columns:
        return Row(f"line {number}", text, number=number, source=_WHERE)
    try:
        columns = json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "" if suffixes else "; a text that begins with { has to stand in a JSON object"
        return failure(f"{_WHERE}, row {number}: is not JSON ({error}){hint}")
    try:
        row = make_row(number, columns, config, Path(), _WHERE, suffixes=suffixes, needs_target=False, needs_id=False)
    except DataError as error:
        return failure(str(error))
    if row.problem is not None:
        return failure(f"{row.where}: {row.problem}", row.problem.kind)
    if suffixes and not isinstance(row.input, FileSpan):
        return failure(f"{row.where}: the input should be a path; received {row.input!r}")
    named = row.id != str(number) or (config.id or "") in row.columns
    return row if named else replace(row, id=f"line {number}")


def _lines(stream: BufferedReader, end: bytes | None) -> Iterator[bytes | None]:
    """Lines without their ends, each as soon as it is complete, however the pipe pauses; None for one that is too long.

    Args:
        stream: read as far as it is ready.
        end: of a line; None takes null characters where there are any in what is read first, else line breaks.
    """
    rest, passing_over = b"", False
    while piece := stream.read1(2**16):
        rest += piece
        if end is None:
            # A program that ends names with null characters writes blocks of many, so a name with a line break in it
            # doesn't come alone.
            end = b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else None
        if end is not None:
            *lines, rest = rest.split(end)
            for line in lines:
                line = line.removesuffix(b"\r") if end == b"\n" else line
                yield None if passing_over or len(line) > MAX_LINE_BYTES else line
                passing_over = False
        if len(rest) > MAX_LINE_BYTES + 1:  # with the first half of a CRLF
            rest, passing_over = b"", True
    rest = rest.removesuffix(b"\r")
    if rest or passing_over:
        yield None if passing_over or len(rest) > MAX_LINE_BYTES else rest
