"""What the header of a recording says of the size of its sound, and what is there.

libsndfile takes a WAV, AIFF, AU or W64 file that was cut off for a shorter one and says nothing, and one whose writer
could not know the size (a pipe, a recorder that crashed) for one without sound, as the case may be.

The layouts are those of "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft 1991), EBU
Tech 3306 (RF64), "Audio Interchange File Format" (Apple 1989), "Apple Core Audio Format Specification 1.0", Sony's
Wave64 and Sun's audio(5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from seqpipe.features.speech.byte_ranges import Part

SLACK = 64
"""Bytes: some writers count their own header as sound."""
_ENDLESS = (2_000_000_000, 1 << 31, 1 << 32)
"""Writers to a pipe can't know the size, and put one of the largest numbers there, more or less a header."""
_NEAR = 1 << 16
"""Bytes from there."""
_BEYOND = 1 << 60
"""No file has so many bytes."""
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""Behind the four letters of a chunk's name in W64."""
_MPEG_IN_WAV = (0x50, 0x55)
_GSM_IN_WAV = 0x31
_GSM_SAMPLES = 320
"""Of a block of 65 bytes. Where their number is odd, libsndfile takes the byte that makes it even for one more."""


def _says_nothing(size: int) -> bool:
    """Whether it is one that is stated by those who don't know."""
    return size == 0 or size >= _BEYOND or any(-_NEAR <= size - endless <= _NEAR for endless in _ENDLESS)


class StatedSize(NamedTuple):
    """Of a recording's sound.

    Attributes:
        place: of the field that states it.
        layout: of that field, for `struct`.
        around: bytes that the field counts beside the sound.
        start: of the sound.
        stated: bytes of sound that the header promises.
        held: bytes from the start of the sound to the end of the file.
        block: bytes of a block of samples; 1 where that isn't looked at.
        block_samples: of each channel in a block, where libsndfile may count blocks wrongly; else 0.
        is_mpeg: whether the sound is an MPEG audio stream.
        is_followed: whether what is behind the stated end is chunks up to the end of the file; looked at only where the
            size may be none.
    """

    place: int
    layout: str
    around: int
    start: int
    stated: int
    held: int
    block: int = 1
    block_samples: int = 0
    is_mpeg: bool = False
    is_followed: bool = False

    @property
    def is_unknown(self) -> bool:
        """Whether its writer didn't know it: it is none, or one of the largest, and there is less or more than that."""
        if not _says_nothing(self.stated):
            return False
        return self.stated > self.held or (self.stated < self.held and not self.is_followed)

    @property
    def is_cut(self) -> bool:
        """Whether sound is missing that was promised."""
        return self.held + SLACK < self.stated and not self.is_unknown

    @property
    def frames(self) -> int | None:
        """Samples of each channel; None where libsndfile knows."""
        size = self.held if self.is_unknown else min(self.stated, self.held)
        return size // self.block * self.block_samples if self.block_samples else None

    def with_true_size(self) -> tuple[Part, ...]:
        """The file up to its last whole block, with the size that it has."""
        size = self.held - self.held % self.block
        whole = (self.place + struct.calcsize(self.layout), self.start + size)
        most = (1 << 8 * struct.calcsize(self.layout)) - 1
        if self.layout == "<I" and size >= most:  # RIFF has no such sizes, RF64 does
            head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, size + self.start, size, 0, 0)
            return head, (12, self.place), b"\xff\xff\xff\xff", whole
        return (0, self.place), struct.pack(self.layout, min(size + self.around, most)), whole


class _Layout(NamedTuple):
    """How chunks begin."""

    header: str
    counts_header: bool = False
    padding: int = 2


class _Chunk(NamedTuple):
    name: bytes
    start: int
    size: int


_RIFF, _RIFX, _IFF = _Layout("<4sI"), _Layout(">4sI"), _Layout(">4sI")
_CAF, _W64 = _Layout(">4sQ", padding=1), _Layout("<16sQ", counts_header=True, padding=8)


def stated_size(file: BinaryIO, end: int) -> StatedSize | None:
    """What a WAV (RIFF, RIFX, RF64, BW64, W64), AIFF, CAF or AU file states; None of any other kind of file.

    Args:
        file: at its beginning, seekable.
        end: bytes that it has.
    """
    head = file.read(40)
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX"):
        return _of_wav(file, _RIFX if head[:4] == b"RIFX" else _RIFF, 12, end)
    if head[:4] == b"riff" and head[24:40] == b"wave" + _W64_TAIL:
        return _of_wav(file, _W64, 40, end)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _of_chunk(file, _IFF, 12, end, b"SSND", 8)
    if head[:4] == b"caff":
        return _of_chunk(file, _CAF, 8, end, b"data", 4)
    if head[:4] == b".snd" and len(head) >= 12:
        start, size = struct.unpack(">II", head[4:12])
        return StatedSize(8, ">I", 0, start, size, max(0, end - start))
    return None


def _of_wav(file: BinaryIO, layout: _Layout, at: int, end: int) -> StatedSize | None:
    block, codec, long_size = 1, 0, None
    order = layout.header[0]
    for chunk in _chunks(file, layout, at, end):
        kind = chunk.name[:4]
        if kind == b"fmt " and len(body := file.read(14)) == 14:
            codec, block = struct.unpack(f"{order}H10xH", body)
        if kind == b"ds64" and len(body := file.read(16)) == 16:
            long_size = (chunk.start + 8, *struct.unpack("<8xQ", body))
        if kind == b"data":
            place, size = None, chunk.size
            if long_size is not None:  # of RF64, where the chunk itself can't say it
                place, size = long_size[0], long_size[1] if size == 0xFFFF_FFFF else size
            return _stated(
                file, layout, chunk._replace(size=size), end, 0,
                place=place, block=max(1, block), block_samples=_GSM_SAMPLES if codec == _GSM_IN_WAV else 0,
                is_mpeg=codec in _MPEG_IN_WAV,
            )  # fmt: skip
    return None


def _of_chunk(file: BinaryIO, layout: _Layout, at: int, end: int, wanted: bytes, before: int) -> StatedSize | None:
    """Of the chunk whose sound stands behind ``before`` bytes of its own."""
    for chunk in _chunks(file, layout, at, end):
        if chunk.name == wanted:
            return _stated(file, layout, chunk, end, before)
    return None


def _stated(
    file: BinaryIO, layout: _Layout, chunk: _Chunk, end: int, before: int, *, place: int | None = None, **known: Any
) -> StatedSize:
    """What a chunk states, in its own field or, at ``place``, in one of 64 bits elsewhere."""
    field = layout.header[0] + layout.header[-1]
    header = struct.calcsize(layout.header) if layout.counts_header else 0
    stated = max(0, chunk.size - before)
    return StatedSize(
        place=chunk.start - struct.calcsize(field) if place is None else place,
        layout=field if place is None else "<Q",
        around=before + header,
        start=chunk.start + before,
        stated=stated,
        held=max(0, end - chunk.start - before),
        is_followed=_says_nothing(stated) and _is_chunks(file, layout, chunk.start + chunk.size, end),
        **known,
    )


def _chunks(file: BinaryIO, layout: _Layout, at: int, end: int) -> Iterator[_Chunk]:
    """Chunks from a place on, the file standing at what each holds."""
    length = struct.calcsize(layout.header)
    while at < end:
        file.seek(at)
        if len(head := file.read(length)) < length:
            return
        name, size = struct.unpack(layout.header, head)
        size = max(0, size - length) if layout.counts_header else size
        yield _Chunk(name, at + length, size)
        at += length + size
        at += -at % layout.padding


def _is_chunks(file: BinaryIO, layout: _Layout, at: int, end: int) -> bool:
    """Whether what stands from a place on is chunks, up to the end of the file: so no sound."""
    at += -at % layout.padding
    for name, start, size in _chunks(file, layout, at, end):
        if not all(32 <= letter < 127 for letter in name[:4]) or start + size > end:
            return False
        at = start + size
    return end - at < layout.padding
