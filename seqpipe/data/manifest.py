"""Manifests: JSON lines, CSV, TSV and Parquet, a row an example."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.errors import DataError

Record = dict[str, Any]


def read_manifest(path: Path, kind: str) -> Iterator[tuple[int, Record]]:
    """Rows of a manifest as (number from 1, columns), one at a time.

    Args:
        path: the file, UTF-8.
        kind: ``jsonl``, ``csv``, ``tsv`` or ``parquet``.

    Raises:
        DataError: a row can't be read; file and row are named.
    """
    if kind == "parquet":
        return _parquet(path)
    return _text_rows(path, {"jsonl": _jsonl, "csv": _csv, "tsv": _tsv}[kind])


def _text_rows(path: Path, reader: Any) -> Iterator[tuple[int, Record]]:
    try:
        with path.open(encoding="utf-8-sig", newline="" if reader is _csv else None) as file:
            yield from reader(file, path)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start}: {error.reason})") from None


def _jsonl(file: Any, path: Path) -> Iterator[tuple[int, Record]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: is not JSON ({error})") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: should be a JSON object; received {line.strip()[:80]}")
        yield number, record


def _csv(file: Any, path: Path) -> Iterator[tuple[int, Record]]:
    rows = csv.reader(file, strict=True)
    try:
        yield from _tabular(rows, path)
    except csv.Error as error:
        raise DataError(f"{path}, near line {rows.line_num}: is not CSV ({error})") from None


def _tsv(file: Any, path: Path) -> Iterator[tuple[int, Record]]:
    # By hand, not csv.QUOTE_NONE: a row is a physical line and a quotation mark is text, nothing else.
    return _tabular((line.rstrip("\r\n").split("\t") for line in file), path)


def _tabular(rows: Iterator[list[str]], path: Path) -> Iterator[tuple[int, Record]]:
    header = next(rows, None)
    if header is None:
        raise DataError(f"{path}: is empty; the first line should name the columns")
    if len(set(header)) < len(header):
        raise DataError(f"{path}: column names stand twice in the header: {', '.join(header)}")
    for number, fields in enumerate(rows, 1):
        if fields in ([], [""]):
            continue
        if len(fields) != len(header):
            raise DataError(
                f"{path}, row {number}: has {len(fields)} fields, the header {len(header)} ({', '.join(header)})"
            )
        yield number, dict(zip(header, fields, strict=True))


def _parquet(path: Path) -> Iterator[tuple[int, Record]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: is not a Parquet file ({error})") from None
    number = 0
    with file:
        batches = file.iter_batches(batch_size=1024)
        while True:
            try:
                batch = next(batches, None)
            except (pyarrow.ArrowException, OSError) as error:
                raise DataError(f"{path}, after row {number}: can't be decoded ({error})") from None
            if batch is None:
                return
            for record in batch.to_pylist():
                number += 1
                yield number, record
