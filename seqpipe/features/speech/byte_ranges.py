"""A file put together out of parts of another one."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, BinaryIO

Part = bytes | tuple[int, int]
"""Bytes themselves, or from where to where they stand in a file."""


class ByteRanges(io.RawIOBase):
    """Parts of a file, and bytes that are in none, read as one file; nothing but the list of them is held in memory.

    Args:
        file: seekable; closed with this one.
        parts: in their order; those of the file as its first byte and the one after the last.
    """

    def __init__(self, file: BinaryIO, parts: Sequence[Part]) -> None:
        super().__init__()
        self._file, self._parts = file, parts
        sizes = (len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts)
        self._edges = [0, *accumulate(sizes)]  # part n is from edge n to edge n + 1
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and give it."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._edges[-1]}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or what there is of it; gives how many bytes."""
        wanted = memoryview(buffer).cast("B")
        done = 0
        while done < len(wanted) and self._at < self._edges[-1]:
            number = bisect_right(self._edges, self._at) - 1
            part, begin = self._parts[number], self._at - self._edges[number]
            most = min(len(wanted) - done, self._edges[number + 1] - self._at)
            if isinstance(part, bytes):
                found = part[begin : begin + most]
            else:
                self._file.seek(part[0] + begin)
                found = self._file.read(most)
            if not found:  # the file has become shorter
                break
            wanted[done : done + len(found)] = found
            done += len(found)
            self._at += len(found)
        return done

    def close(self) -> None:
        """This and the file."""
        self._file.close()
        super().close()
