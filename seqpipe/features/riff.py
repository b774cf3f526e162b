"""How much sound the header of a WAV file promises, and how much the file holds.

libsndfile takes a file that was cut off for a shorter one and says nothing.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

SLACK = 64
"""Bytes: some writers count their own header as sound."""
_UNKNOWN = 0x7FFF_F000
"""Writers to a pipe can't know the size, and put one of the largest numbers there (ffmpeg, sox)."""


def missing_bytes(file: BinaryIO) -> tuple[int, int] | None:
    """Bytes of sound that a RIFF WAVE file holds and how many it promises, if it holds fewer; else None.

    Args:
        file: at its beginning, seekable. What is no RIFF WAVE file, or doesn't know its own size, gives None.

    The layout of the chunks is that of "Multimedia Programming Interface and Data Specifications 1.0" (IBM and
    Microsoft 1991).
    """
    if (head := file.read(12))[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            start = file.tell()
            held = file.seek(0, 2) - start
            return (held, size) if held + SLACK < size < _UNKNOWN else None
        file.seek(size + size % 2, 1)
    return None
