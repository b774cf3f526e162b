"""Ogg files that were cut off, which libsndfile takes for shorter ones, and says nothing."""

from __future__ import annotations

from typing import BinaryIO

_LONGEST_PAGE = 65_307
"""Bytes of an Ogg page (RFC 3533)."""


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
