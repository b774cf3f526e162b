"""Inputs that are pipes: process substitution, ``/dev/stdin``, named pipes."""

from __future__ import annotations

import os
import select
import stat
import time
from pathlib import Path

from seqpipe.errors import InputError

MAX_BYTES = 2**31
"""That are held of a pipe: 18 hours of 16 bit at 16 kHz."""
PATIENCE = 60.0
"""Seconds that a named pipe is waited for which nobody has opened for writing; a writer may then take its time."""


def is_pipe(name: str, mode: int) -> bool:
    """Whether what is there can be read once alone, or by this process alone (``/dev/stdin``, ``/dev/fd/63``)."""
    return bool(mode) and not stat.S_ISDIR(mode) and (not stat.S_ISREG(mode) or name.startswith(("/dev/", "/proc/")))


def read_pipe(path: Path, *, max_bytes: int = MAX_BYTES, patience: float = PATIENCE) -> bytes:
    """All that comes out of a pipe, till its writers have closed it.

    Args:
        path: of the pipe.
        max_bytes: that may come.
        patience: seconds to wait for a first writer.

    Raises:
        InputError: nobody writes (``empty``), or more comes than may (``too large``).
        OSError: it can't be opened or read.
    """
    # Without O_NONBLOCK the opening itself would wait for a writer, without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        content = bytearray(_first(descriptor, path, patience))
        os.set_blocking(descriptor, True)
        while block := os.read(descriptor, 2**20):
            content += block
            if len(content) > max_bytes:
                raise InputError("too large", f"{path}: over {max_bytes:,} bytes came out of this pipe; give a file")
    finally:
        os.close(descriptor)
    if not content:
        raise InputError("empty", f"{path}: nothing came out of this pipe")
    return bytes(content)


def _first(descriptor: int, path: Path, patience: float) -> bytes:
    """What is there at first, which is nothing where a writer has not written yet."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return b""
    events = select.poll()
    events.register(descriptor, select.POLLIN)  # and of itself for POLLHUP, which comes when the last writer leaves
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            found = os.read(descriptor, 2**16)
        except BlockingIOError:  # there is a writer; of a pipe without one, nothing is read at once
            return b""
        if found or events.poll(100):
            return found
        time.sleep(0.02)
    raise InputError("empty", f"{path}: nobody has opened this pipe for writing for {patience:g} seconds")
