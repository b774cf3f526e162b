"""Texts by themselves, as language models are made of them: lines of plain text, or a column of a manifest."""

from __future__ import annotations

import gzip
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, cast

from seqpipe.core.lines import TOO_LONG, bounded_lines
from seqpipe.data.formats.manifest import read_manifest
from seqpipe.data.records import manifest_kind
from seqpipe.errors import ConfigError, DataError, InputError, did_you_mean
from seqpipe.text.validity import unfit

STANDARD_INPUT = "-"


def read_texts(name: str, column: str | None = None) -> Iterator[tuple[str, str]]:
    """Texts one at a time, each behind where it stands, for messages.

    Args:
        name: a file or pipe of a text a line, UTF-8, packed if it ends with ``.gz``; ``-`` for standard input; or a
            manifest (jsonl, csv, tsv, parquet).
        column: of manifests, that holds the texts.

    Returns:
        Pairs; a blank line is an empty text.

    Raises:
        ConfigError: there is no such file, or a manifest without a column.
        DataError: a line is no text, a row has no such column or no text there, or a file breaks off.
        OSError: a file can't be read.
    """
    path = Path(name)
    if name != STANDARD_INPUT and (path.is_dir() or not path.exists()):  # a pipe of the shell is no regular file
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(
            f"{name}: is a folder" if path.is_dir() else f"{name}: no such file{did_you_mean(path.name, siblings)}"
        )
    kind = None if name == STANDARD_INPUT else manifest_kind(path)
    if kind is None:
        return _lines(name)
    if column is None:
        raise ConfigError(f"{name}: is a manifest by its name; give the column that holds the texts (--column)")
    return _column(path, kind, column)


def _lines(name: str) -> Iterator[tuple[str, str]]:
    shown = "standard input" if name == STANDARD_INPUT else name
    try:
        with _opened(name) as file:
            for number, line in enumerate(bounded_lines(file), 1):
                where = f"{shown}, line {number}"
                if line is None:
                    raise DataError(f"{where}: {TOO_LONG}")
                content = line.removeprefix(BOM_UTF8) if number == 1 else line
                yield where, _fit(where, content.decode(errors="surrogateescape").rstrip("\r\n"))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{shown}: can't be unpacked; is it cut off? ({error})") from None


def _opened(name: str) -> AbstractContextManager[IO[bytes]]:
    if name == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    if name.lower().endswith(".gz"):
        return cast("AbstractContextManager[IO[bytes]]", gzip.open(name))
    return Path(name).open("rb")


def _column(path: Path, kind: str, column: str) -> Iterator[tuple[str, str]]:
    for number, columns in read_manifest(path, kind):
        where = f"{path}, row {number}"
        if isinstance(columns, InputError):  # not while it reads strictly
            raise DataError(str(columns))
        if column not in columns:
            raise DataError(f"{where}: has no column {column}{did_you_mean(column, columns)}")
        if not isinstance(columns[column], str):
            raise DataError(f"{where}: {column} should be a text; received {columns[column]!r:.60}")
        yield where, _fit(where, columns[column])


def _fit(where: str, text: str) -> str:
    if what := unfit(text):
        raise DataError(f"{where}: {what}")
    return text
