"""Answers as comma-separated values."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from seqpipe.core.files import draft_file
from seqpipe.inference.formats.table import column_types, read_rows


def write_csv(store: Path, output: Path, prediction: type) -> None:
    r"""A header and a row for each answer: RFC 4180 in UTF-8, lines ending in ``\r\n``.

    Numbers are written so that they read back the same; ``true`` and ``false``; lists and objects as compact JSON in
    the cell. What isn't there (of a failure everything but id, error and message) is an empty cell, as an empty text
    is: ``error`` tells them apart.

    Raises:
        DataError: the store doesn't fit the prediction.
    """
    columns = column_types(prediction)
    with draft_file(output) as file:
        # Lone surrogates become \udce9: JSON's own escape in a cell of JSON, and something to recognise in a text.
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        table = csv.writer(text)
        table.writerow(columns)
        for _, row in read_rows(store, columns):
            table.writerow([_cell(row.get(name)) for name in columns])
        text.detach()  # flushed; the file is closed by whom opened it


def _cell(value: Any) -> Any:
    if isinstance(value, (bool, list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value  # None is an empty cell, a float its repr
