"""Audio files that were cut off.

libsndfile takes a WAV, AIFF, AU or Ogg file that was cut off for a shorter one and says nothing (FLAC and MP3 it
notices).
"""

from __future__ import annotations

import struct
from typing import BinaryIO

SLACK = 64
"""Bytes: some writers count their own header as sound."""
_UNKNOWN = 0x7FFF_F000
"""Writers to a pipe can't know the size, and put one of the largest numbers there (ffmpeg, sox)."""
_LONGEST_PAGE = 65_307
"""Bytes of an Ogg page (RFC 3533)."""


def missing_bytes(file: BinaryIO) -> tuple[int, int] | None:
    """Bytes of sound that a WAV, AIFF or AU file holds and how many its header promises, if it holds fewer; else None.

    Args:
        file: at its beginning, seekable. Any other kind of file, or one that doesn't know its own size, gives None.

    The layouts are those of "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft 1991),
    "Audio Interchange File Format" (Apple 1989) and Sun's audio(5).
    """
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return _missing_of_chunk(file, "<4sI", b"data")
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return _missing_of_chunk(file, ">4sI", b"SSND")
    if head[:4] == b".snd" and len(head) == 12:
        offset, size = struct.unpack(">II", head[4:])
        return _missing(file.seek(0, 2) - offset, size)
    return None


def _missing_of_chunk(file: BinaryIO, layout: str, wanted: bytes) -> tuple[int, int] | None:
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(layout, head)
        if name == wanted:
            start = file.tell()
            return _missing(file.seek(0, 2) - start, size)
        file.seek(size + size % 2, 1)
    return None


def _missing(held: int, size: int) -> tuple[int, int] | None:
    return (held, size) if held + SLACK < size < _UNKNOWN else None


def lacks_end(file: BinaryIO) -> bool:
    """Whether it is an Ogg file that doesn't end with the end of a stream: cut off, or recorded from a running stream.

    Args:
        file: at its beginning, seekable.
    """
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, file.seek(0, 2) - _LONGEST_PAGE))
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27:
        return True
    sizes = page[27 : 27 + page[26]]
    complete = len(sizes) == page[26] and len(page) >= 27 + len(sizes) + sum(sizes)
    return not (complete and page[5] & 4)
