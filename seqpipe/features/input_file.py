"""Files that are inputs, before they are opened."""

from __future__ import annotations

import stat
from pathlib import Path

from seqpipe.errors import InputError


def check_file(path: Path, kind: str) -> None:
    """Whether a file can be read; ``kind`` says what it should be, with its article.

    Raises:
        InputError: it is missing, no file, unreadable or empty.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a null character in the name
        raise InputError("missing", f"{path}: no such file") from None
    except OSError as error:
        raise InputError("unreadable", f"{path}: {error.strerror}") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError("not a file", f"{path}: is a directory, not {kind}")
    if not stat.S_ISREG(status.st_mode):  # it would be read from its beginning more than once, and may never end
        raise InputError("not a file", f"{path}: is a pipe or a device, not {kind}; give what comes out of it as bytes")
    if status.st_size == 0:
        raise InputError("empty", f"{path}: the file is empty (0 bytes)")
