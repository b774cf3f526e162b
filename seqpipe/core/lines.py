"""Lines of a file, of which none may fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, AnyStr

MAX_LINE_BYTES = 4 * 2**20
"""Of a line in UTF-8, without its end, and of a file that is one text; a long novel has 3 million."""
TOO_LONG = f"has more than {MAX_LINE_BYTES:,} bytes, the most that a line or a text may have"

_BLOCK = 2**16


def bounded_lines(file: IO[AnyStr]) -> Iterator[AnyStr | None]:
    """Lines as the file itself would give them; None in the place of one of more than `MAX_LINE_BYTES`.

    Such a line is passed over in blocks, so that memory doesn't grow with it.

    Args:
        file: open for reading, as bytes or as UTF-8.

    Raises:
        OSError: it can't be read.
    """
    is_halved = False  # the last block of a long line ended within its CRLF, where the file keeps these as they are
    while line := file.readline(MAX_LINE_BYTES + 2):  # as much as may be read and still fit, with a CRLF
        if is_halved and line == "\n":
            is_halved = False
        elif _size(line) <= MAX_LINE_BYTES:
            is_halved = False
            yield line
        else:
            ends = (b"\n",) if isinstance(line, bytes) else ("\n", "\r")
            while line and not line.endswith(ends):
                line = file.readline(_BLOCK)
            is_halved = isinstance(line, str) and line.endswith("\r")
            yield None


def _size(line: str | bytes) -> int:
    """Bytes of a line without its end; of a short one, at most as many as it could have."""
    if isinstance(line, bytes):
        return len(line) if len(line) <= MAX_LINE_BYTES else len(line.removesuffix(b"\n").removesuffix(b"\r"))
    if 4 * len(line) <= MAX_LINE_BYTES:
        return len(line)
    return len(line.removesuffix("\n").removesuffix("\r").encode(errors="surrogateescape"))


def bounded_content(path: Path) -> bytes | None:
    """What a file holds; None if it is more than `MAX_LINE_BYTES`.

    Raises:
        OSError: it can't be opened or read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_LINE_BYTES + 1)
    return content if len(content) <= MAX_LINE_BYTES else None
