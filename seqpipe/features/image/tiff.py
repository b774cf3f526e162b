"""TIFF: which of a file's images are pages, and opening one of them.

Source: TIFF 6.0 (Adobe 1992), ``NewSubfileType`` and ``SubfileType``; BigTIFF (libtiff).
"""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO, cast

from seqpipe.errors import InputError

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_DIRECTORIES = 10_000
"""Of a file; more are no scan, and may lie over one another by thousands in a small file."""
KIND, OLD_KIND = 254, 255
"""Tags: ``NewSubfileType``, ``SubfileType``."""
NO_PAGE = 1 | 4 | 8
"""Bits of the former: an image of lower resolution, a mask, a depth map (DNG)."""
SMALLER = 2
"""Of the latter: an image of lower resolution."""
LOOKED_AT = 4096
"""Bytes of a directory's entries, which are sorted by their tags."""


class _Layout:
    """How numbers stand in a file."""

    def __init__(self, start: bytes) -> None:
        order = "<" if start.startswith(b"II") else ">"
        self.is_large = start[2:4] in (b"+\0", b"\0+")
        self.header = struct.Struct(f"{order}8xQ" if self.is_large else f"{order}4xI")
        self.count = struct.Struct(f"{order}Q" if self.is_large else f"{order}H")
        self.entry = struct.Struct(f"{order}HHQ8s" if self.is_large else f"{order}HHI4s")
        self.next = struct.Struct(f"{order}Q" if self.is_large else f"{order}I")
        self.values = {3: struct.Struct(f"{order}H"), 4: struct.Struct(f"{order}I")}

    def first(self, start: bytes) -> int:
        """Offset of the first directory; 0 if there is none."""
        return int(self.header.unpack_from(start)[0]) if len(start) >= self.header.size else 0


def page_offsets(file: BinaryIO, name: str, most: int | None = None) -> list[int]:
    """Where the directories of a TIFF's pages stand.

    Thumbnails, other images of lower resolution and masks are none, as the file says of them; of a file that has
    nothing else, its first image is the page. A directory that the file breaks off before is a page, of which reading
    will say so; what would follow it nobody knows.

    Args:
        file: at its beginning, where it is left.
        name: for messages.
        most: pages to look for; all when None.

    Returns:
        At least one offset.

    Raises:
        InputError: there are more than `MAX_DIRECTORIES`.
    """
    start = file.read(16)
    layout, end = _Layout(start), file.seek(0, io.SEEK_END)
    first = at = layout.first(start)
    seen: set[int] = set()
    pages: list[int] = []
    while at and at not in seen and (most is None or len(pages) < most):
        if len(seen) == MAX_DIRECTORIES:
            raise InputError("too large", f"{name}: has more than {MAX_DIRECTORIES:,} images; divide it into files")
        seen.add(at)
        if at + layout.count.size > end:
            pages.append(at)
            break
        file.seek(at)
        count = layout.count.unpack(file.read(layout.count.size))[0]
        behind = at + layout.count.size + count * layout.entry.size
        entries = file.read(min(LOOKED_AT // layout.entry.size, count) * layout.entry.size)
        if behind > end or _is_page(entries, layout):
            pages.append(at)
        if behind + layout.next.size > end:
            break
        file.seek(behind)
        at = layout.next.unpack(file.read(layout.next.size))[0]
    file.seek(0)
    return pages or [first]


def _is_page(entries: bytes, layout: _Layout) -> bool:
    said = {}
    whole = len(entries) // layout.entry.size * layout.entry.size
    for tag, kind, _, value in layout.entry.iter_unpack(entries[:whole]):
        if tag in (KIND, OLD_KIND) and kind in layout.values:
            said[tag] = layout.values[kind].unpack_from(value)[0]
    return not said[KIND] & NO_PAGE if KIND in said else said.get(OLD_KIND) != SMALLER


def check_directory(file: BinaryIO, name: str, at: int) -> None:
    """A directory says what the pixels are; it often stands behind them, and is what is missing of a cut file.

    Args:
        file: at its beginning, where it is left.
        name: for messages.
        at: its offset, as `page_offsets` gives it.

    Raises:
        InputError: the file ends before or within the directory.
    """
    start = file.read(16)
    layout, end = _Layout(start), file.seek(0, io.SEEK_END)
    needed = layout.header.size
    if len(start) >= layout.header.size:
        needed = at + layout.count.size
    if at > 0 and needed <= end:
        file.seek(at)
        needed += layout.entry.size * layout.count.unpack(file.read(layout.count.size))[0]
    file.seek(0)
    if needed > end:
        raise InputError("truncated", f"{name}: ends after {end} bytes; its header goes on to byte {needed}")


def beginning_at(file: BinaryIO, at: int) -> BinaryIO:
    """A TIFF whose header leads to another one of its directories first.

    Pillow would go through all those before it, each time, and fail where one of these is broken.
    """
    start = file.read(16)
    file.seek(0)
    layout = _Layout(start)
    if len(start) < layout.header.size or layout.first(start) == at:
        return file
    return cast(BinaryIO, _Redirected(file, start[: layout.header.size - layout.next.size] + layout.next.pack(at)))


class _Redirected:
    """A file with another beginning."""

    def __init__(self, file: BinaryIO, header: bytes) -> None:
        self.file, self.header = file, header

    def read(self, size: int = -1) -> bytes:
        at = self.file.tell()
        content = self.file.read(size)
        return self.header[at : at + len(content)] + content[max(0, len(self.header) - at) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
