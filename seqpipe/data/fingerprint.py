"""One short word for all rows of a source, to see whether two trainings saw the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from seqpipe.core.input import FileSpan
from seqpipe.data.pages.line import PageLine
from seqpipe.data.rows import Row


def fingerprint(rows: Iterable[Row]) -> str:
    """The first 16 digits of a SHA-256 over ids, targets, spans and, for files, sizes, in the order of the rows.

    Files are not read: a recording that changes without changing its size goes unnoticed. Folders don't matter, so a
    data set that has moved keeps its fingerprint.
    """
    total = hashlib.sha256()
    for row in rows:
        total.update(repr((row.id, row.target, _identity(row.input))).encode())
    return total.hexdigest()[:16]


def _identity(value: Any) -> Any:
    if isinstance(value, PageLine):
        return (_identity(FileSpan(value.image)), value.baseline, value.polygon, value.size)
    if not isinstance(value, FileSpan):
        return value
    if isinstance(value.source, bytes):
        return (hashlib.sha256(value.source).hexdigest(), value.start, value.end)
    try:
        size = value.source.stat().st_size
    except OSError:
        size = -1  # missing; it is left out, and named, elsewhere
    return (value.source.name, size, value.start, value.end)
