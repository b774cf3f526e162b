"""Manifests: JSON lines, CSV, TSV and Parquet, a row an example."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from seqpipe.core.lines import MAX_LINE_BYTES, TOO_LONG, bounded_lines
from seqpipe.core.packages import lacking
from seqpipe.data.formats.hub_features import Meaning, column_meanings, meant
from seqpipe.errors import DataError, InputError
from seqpipe.text.validity import undecoded

Record = dict[str, Any]

AN_OBJECT_A_LINE = "a manifest has an object a line, as jq -c '.[]' makes them of a list"

_BATCH_BYTES = 16 * 2**20
"""Of a Parquet file, decoded at once: recordings may stand in it."""


def read_manifest(path: Path, kind: str, *, strict: bool = True) -> Iterator[tuple[int, Record | InputError]]:
    """Rows of a manifest as (number from 1, columns), one at a time.

    Args:
        path: the file, UTF-8; gzipped if its name ends with ``.gz``, but for Parquet.
        kind: ``jsonl``, ``csv``, ``tsv`` or ``parquet``.
        strict: a row that can't be read ends the reading. Else an `InputError` (``bad value``) that names file and row
            comes in its place, and the rest go on; of a Parquet file, one for the rest of a group of rows.

    Raises:
        DataError: a row can't be read; file and row are named. Strict or not: the file is no Parquet, its header
            can't be read, or what gzip packed breaks off.
        OSError: the file can't be opened or read.
    """
    for number, columns in _parquet(path) if kind == "parquet" else _text_rows(path, kind):
        if strict and isinstance(columns, InputError):
            raise DataError(str(columns))
        yield number, columns


def count_manifest(path: Path, kind: str) -> int:
    """How many rows `read_manifest` will give when it isn't strict, without looking into them.

    Raises:
        DataError: the file is no Parquet.
        OSError: the file can't be opened or read.
    """
    if kind == "parquet":
        with _open_parquet(path) as file:
            return int(file.metadata.num_rows)
    with _open_text(path, kind) as file:
        if kind == "jsonl":
            return sum(1 for line in bounded_lines(file) if line is None or line.strip())
        rows = _csv(file, path) if kind == "csv" else _tsv(file, path)
        next(rows, None)  # the header
        return sum(1 for fields in rows if fields not in ([], [""]))


@contextmanager
def _open_text(path: Path, kind: str) -> Iterator[TextIO]:
    """The file, open; what gzip raises in the middle of a damaged one comes as this project's error."""
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    newline = "" if kind == "csv" else None
    try:
        # Bytes that are no UTF-8 become surrogates, so that only their own row is lost.
        with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: can't be unpacked; is it cut off? ({error})") from None


def _text_rows(path: Path, kind: str) -> Iterator[tuple[int, Record | InputError]]:
    with _open_text(path, kind) as file:
        if kind == "jsonl":
            yield from _jsonl(file, path)
        else:
            yield from _tabular(_csv(file, path) if kind == "csv" else _tsv(file, path), path)


def _bad(where: str, what: str) -> InputError:
    return InputError("bad value", f"{where}: {what}")


def _too_long(where: str) -> InputError:
    return InputError("too long", f"{where}: {TOO_LONG}")


def _jsonl(file: TextIO, path: Path) -> Iterator[tuple[int, Record | InputError]]:
    for number, line in enumerate(bounded_lines(file), 1):
        where = f"{path}, line {number}"
        if line is None:
            yield number, _too_long(where)
            continue
        if not line.strip():
            continue
        if problem := undecoded(line):
            yield number, _bad(where, problem)
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, _bad(where, f"is not JSON ({error}); {AN_OBJECT_A_LINE}")
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            yield number, _bad(where, f"should be a JSON object; received {line.strip()[:80]}; {AN_OBJECT_A_LINE}")


def _csv(file: TextIO, path: Path) -> Iterator[list[str] | InputError]:
    """Fields of each row. An open quotation costs its own line, not all that it swallowed: those are read again.

    All lines of a row together have at most `MAX_LINE_BYTES` characters.
    """
    # Of the whole process, and 131,072 characters at first. Only ever raised: what another thread reads stays readable.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    fresh = bounded_lines(file)
    taken: list[str | None] = []  # lines of the present row
    waiting: list[str | None] = []  # lines to be read again, the next one last

    def lines() -> Iterator[str]:
        size = 0
        while (line := waiting.pop() if waiting else next(fresh, "")) != "":
            size = len(line or "") + (size if taken else 0)
            taken.append(line)
            if line is None or size > MAX_LINE_BYTES + 2:  # the end of a line is none of it
                raise csv.Error(f"over {MAX_LINE_BYTES:,} characters from a quotation mark on; is its end missing?")
            yield line

    number = 1
    rows = csv.reader(lines(), strict=True)
    while True:
        try:
            fields = next(rows, None)
        except csv.Error as error:
            where = f"{path}, near line {number}"
            problem = _too_long(where) if taken[0] is None else _bad(where, f"is not CSV ({_said(error)})")
            waiting.extend(reversed(taken[1:]))
            del taken[1:]
            rows = csv.reader(lines(), strict=True)
            yield problem
        else:
            if fields is None:
                return
            yield fields
        number += len(taken)
        taken.clear()


def _said(error: csv.Error) -> str:
    return f"{error}: a quotation mark is open" if "end of data" in str(error) else str(error)


def _tsv(file: TextIO, path: Path) -> Iterator[list[str] | InputError]:
    # By hand, not csv.QUOTE_NONE: a row is a physical line and a quotation mark is text, nothing else.
    for number, line in enumerate(bounded_lines(file), 1):
        yield _too_long(f"{path}, line {number}") if line is None else line.rstrip("\r\n").split("\t")


def _tabular(rows: Iterator[Any], path: Path) -> Iterator[tuple[int, Record | InputError]]:
    header = next(rows, None)
    if header is None:
        raise DataError(f"{path}: is empty; the first line should name the columns")
    if isinstance(header, InputError):
        raise DataError(str(header))
    if problem := undecoded("".join(header)):
        raise DataError(f"{path}, header: {problem}")
    if len(set(header)) < len(header):
        raise DataError(f"{path}: column names stand twice in the header: {', '.join(header)}")
    for number, fields in enumerate(rows, 1):
        if fields in ([], [""]):
            continue
        where = f"{path}, row {number}"
        if isinstance(fields, InputError):
            yield number, fields
        elif len(fields) != len(header):
            what = f"has {len(fields)} fields, the header {len(header)} ({', '.join(header)})"
            yield number, _bad(where, what)
        elif problem := undecoded("".join(fields)):
            yield number, _bad(where, problem)
        else:
            yield number, dict(zip(header, fields, strict=True))


def _open_parquet(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{path}: Parquet {lacking('pyarrow', 'parquet')}; or give a .jsonl, .csv or .tsv") from None

    with path.open("rb"):
        pass  # what can't be opened at all is told apart from what is no Parquet
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: is not a Parquet file ({error})") from None


def _parquet(path: Path) -> Iterator[tuple[int, Record | InputError]]:
    first = 1
    with _open_parquet(path) as file:
        import pyarrow

        meanings = _meanings(file, path)
        for index in range(file.num_row_groups):
            group = file.metadata.row_group(index)
            number = first
            first += group.num_rows
            rows = max(1, min(1024, _BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)))
            batches = file.iter_batches(batch_size=rows, row_groups=[index])
            while True:
                try:
                    batch = next(batches, None)
                except (pyarrow.ArrowException, OSError) as error:
                    yield number, _bad(f"{path}, rows {number} to {first - 1}", f"can't be decoded ({error})")
                    break
                if batch is None:
                    break
                for record in _records(batch):
                    columns = record if isinstance(record, str) else meant(record, meanings)
                    yield number, columns if isinstance(columns, dict) else _bad(f"{path}, row {number}", str(columns))
                    number += 1


def _meanings(file: Any, path: Path) -> dict[str, Meaning]:
    """Of the columns, where `datasets` or the Hub wrote the file."""
    metadata = file.schema_arrow.metadata or {}
    try:
        said = json.loads(metadata.get(b"huggingface", b"{}"))
        return column_meanings((said.get("info") or {}).get("features") or {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: what its metadata say under huggingface can't be read ({error})") from None


def _records(batch: Any) -> list[Any]:
    """Columns of each row, or what is wrong with it."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError as error:  # strings are decoded here: Parquet itself lets any bytes pass
        if batch.num_rows == 1:
            return [f"is not UTF-8 text (byte 0x{error.object[error.start]:02x})"]
    return [record for place in range(batch.num_rows) for record in _records(batch.slice(place, 1))]
