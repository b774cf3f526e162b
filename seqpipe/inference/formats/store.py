"""The store of finished answers, read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from seqpipe.errors import DataError


def read_store(store: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each line, as it stands in the file and as the object that it is: a prediction, or a failure with ``error``.

    Raises:
        DataError: a line is no JSON object.
    """
    with store.open("rb") as lines:  # bytes: U+2028 and its like end a line of text, and stand in a line of JSON
        for number, line in enumerate(lines, 1):
            try:
                record: Any = json.loads(line)
            except ValueError as error:
                raise DataError(f"{store}, row {number}: is not JSON ({error}); was it altered?") from None
            if not isinstance(record, dict):
                raise DataError(f"{store}, row {number}: is no JSON object; received {record!r}")
            yield line, record


def record_at(lines: BinaryIO, place: int) -> dict[str, Any]:
    """The object of the line that begins there, in a store that was read before."""
    lines.seek(place)
    record: dict[str, Any] = json.loads(lines.readline())
    return record


def encode(record: dict[str, Any]) -> bytes:
    """A line of JSON."""
    # A file's name may be no UTF-8: its odd bytes, surrogates in Python, are written as JSON's own escapes.
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def readable(text: str) -> str:
    r"""Text that UTF-8 can hold: odd bytes of a file's name, lone surrogates in Python, written out (``\udce9``)."""
    return text.encode("utf-8", "backslashreplace").decode()
