"""Where the frames of an MPEG audio stream (MP3, and layers I and II) stand, and how many they are.

libsndfile 1.2 takes the number of frames from a first frame that states it (Xing, Info, VBRI). Where there is none, it
takes the first frame for an average one, and so reads a stream of variable bit rate to some place before its end, or
promises more than there is. Of streams that stand one behind the other in a file it reads the first, for whose length
alone that frame speaks. So frames are counted here, wherever such a frame doesn't speak for the whole file.

Source: ISO/IEC 11172-3 and 13818-3 (frames), Fraunhofer's MPEG 2.5, Gabriel Bouvigne's "MP3 info tag revision 1" (Xing,
Info and LAME), ID3v2.4, APEv2.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from seqpipe.errors import InputError
from seqpipe.features.speech.byte_ranges import Part

_KBITS = {  # of MPEG 1, and of 2 and 2.5, by layer
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_BLOCK = 1 << 20
_HEAD = 192
"""Bytes of a frame in which all stands that is looked at."""
_LEAD = 1 << 16
"""Bytes before a first frame that may be anything."""
_LAME = 36
"""Bytes that LAME adds, from its name on; the delays of encoder and end stand at 21."""
_DECODER_DELAY = 529
"""Samples; a padding that is shorter is none that a decoder can take off."""


class Header(NamedTuple):
    """Of a frame. Frames of one ``layer``, ``rate`` and ``channels`` make a stream."""

    layer: int
    rate: int
    channels: int
    length: int
    samples: int
    is_mpeg1: bool

    @property
    def stream(self) -> tuple[int, int, int]:
        """What all frames of a stream share."""
        return self[:3]

    def __str__(self) -> str:
        return f"{self.rate:,} Hz with {self.channels} channel{'s' * (self.channels > 1)} (layer {'I' * self.layer})"


@functools.lru_cache(maxsize=1024)
def parse_header(head: bytes) -> Header | None:
    """The four bytes that a frame begins with; None if they are none, or of a free format, whose length none states."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or kbits in (0, 15) or rate == 3 or head[3] & 3 == 2:
        return None
    is_mpeg1 = version == 3
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits, padding = 1000 * _KBITS[is_mpeg1, layer][kbits], head[2] >> 1 & 1
    if layer == 1:
        length, samples = (12 * bits // hertz + padding) * 4, 384
    else:
        samples = 1152 if is_mpeg1 or layer == 2 else 576
        length = samples // 8 * bits // hertz + padding
    return Header(layer, hertz, 1 if head[3] >> 6 == 3 else 2, length, samples, is_mpeg1)


@dataclass
class _Piece:
    """What follows a first frame that states something, or a tag: one of the streams that were joined."""

    start: int
    promised: int = 0  # frames
    size: int = 0  # bytes, this first frame's among them
    lame: bytes = b""
    count: int = 0

    def cut(self, end: int) -> bool:
        """Whether frames are missing that were promised; some encoders count the frame itself that states them."""
        missing = self.promised - self.count
        return missing > 1 or (missing == 1 and end - self.start < self.size)


@dataclass(frozen=True)
class MpegStream:
    """What a decoder is to be given in the place of the file.

    Attributes:
        parts: all frames, in layer III behind one that states their number.
        samples: at most, of each channel.
    """

    parts: tuple[Part, ...]
    samples: int


def find_stream(file: BinaryIO, name: object, start: int, end: int) -> MpegStream | None:
    """The frames of an MPEG audio stream; None where the file is none, or states its length rightly.

    It states it rightly if the first frame's number of bytes is that of the file, tags apart, or if its number of
    frames is. Else all are looked at, without being decoded. What is no frame is passed over; a last one that isn't
    whole is left out, since a recorder that is stopped ends so.

    Args:
        file: seekable.
        name: of the input, for messages.
        start: where the stream, or a tag before it, begins in the file.
        end: where it ends.

    Raises:
        InputError: there are fewer frames than the first one states (``truncated``), or streams follow one another that
            differ in rate, channels or layer (``bad value``).
    """
    while length := _tag_length(_read(file, start, 32)):
        start += length
    if _speaks_for_all(file, start, end):
        return None
    found = _find_frame(file, start, min(end, start + _LEAD), end)
    if found is None:
        return None
    start, header = found
    walk = _Walk(file, name, header, start, end)
    walk.run()
    if len(walk.pieces) == 1 and walk.pieces[0].promised == walk.pieces[0].count:
        return None
    frames = sum(piece.count for piece in walk.pieces)
    if frames == 0:
        return None
    ranges: tuple[Part, ...] = tuple(walk.ranges)
    if header.layer == 3:
        size = sum(last - first for first, last in walk.ranges)
        ranges = (_stating(_read(file, walk.ranges[0][0], 4), frames, size, _delays(walk.pieces)), *ranges)
    return MpegStream(ranges, frames * header.samples)


class _Walk:
    """Goes through all frames of a file."""

    def __init__(self, file: BinaryIO, name: object, header: Header, start: int, end: int) -> None:
        self.file, self.name, self.header, self.start, self.end = file, name, header, start, end
        self.pieces: list[_Piece] = []
        self.ranges: list[tuple[int, int]] = []

    def run(self) -> None:
        """Note pieces and where frames stand."""
        self.pieces = [_Piece(self.start)]
        at: int | None = self.start
        while at is not None and at < self.end:
            first, head = at, _read(self.file, at, min(_HEAD, self.end - at))
            header = parse_header(head[:4])
            piece = None if header is None else _stated(head, header, at)
            if header is not None and header.stream != self.header.stream:
                at = self._resume(at)  # which tells whether it is a frame
            elif header is not None and piece is not None:
                self._close(at)
                self.pieces.append(piece)
                at += header.length
            elif (tag := _tag_length(head)) and not header:
                self._close(at)
                self.pieces.append(_Piece(at + tag))
                at += tag
            elif header is None:
                at = self._resume(at)
            else:
                at, last, count = self._frames(at)
                following = None if at >= self.end else self._resume(last + 4) if self._is_lost(at) else at
                if at > (self.end if following is None else following):  # the last one isn't whole
                    at, count = last, count - 1
                self.pieces[-1].count += count
                self._add(first, at)
                at = following
        self._close(self.end)
        self.pieces = [piece for piece in self.pieces if piece.count or piece.promised]

    def _close(self, end: int) -> None:
        piece = self.pieces[-1]
        if piece.cut(end):
            found = f"{piece.count} of the {piece.promised} MPEG frames"
            raise InputError("truncated", f"{self.name}: ends after {found} that its header promises")

    def _add(self, first: int, last: int) -> None:
        if self.ranges and self.ranges[-1][1] == first:
            self.ranges[-1] = (self.ranges[-1][0], last)
        elif last > first:
            self.ranges.append((first, last))

    def _is_lost(self, at: int) -> bool:
        """Whether neither a frame nor a tag stands there."""
        head = _read(self.file, at, min(_HEAD, self.end - at))
        header = parse_header(head[:4])
        return not (header is not None and header.stream == self.header.stream) and not _tag_length(head)

    def _resume(self, at: int) -> int | None:
        """Where frames go on; raises `InputError` if they are another stream's."""
        found = _find_frame(self.file, at, self.end, self.end)
        if found is None:
            return None
        at, header = found
        if header.stream != self.header.stream:
            raise InputError(
                "bad value",
                f"{self.name}: is joined of streams that differ, of {self.header} and of {header}; give each as a file",
            )
        return at

    def _frames(self, at: int) -> tuple[int, int, int]:
        """From a frame on, as many as follow one another: where they end, where the last one begins, how many.

        This is what a long file takes its time for, so nothing is called in it.
        """
        mark = _mark_place(self.header)
        first = _read(self.file, at, 4)
        second, is_mono = first[1] | 1, self.header.channels == 1
        lengths = [0] * 256  # by the third byte; 0 where it isn't a frame's of this stream
        for third in range(256):
            header = parse_header(bytes((0xFF, second, third, first[3])))
            if header is not None and header.rate == self.header.rate:
                lengths[third] = header.length
        last, count, begin = at, 0, at
        while at < self.end:
            block = _read(self.file, at, min(_BLOCK, self.end - at))
            is_last = at + len(block) >= self.end
            limit = len(block) - 3 if is_last else len(block) - _HEAD
            block += bytes(_HEAD)
            place = 0
            while place < limit:
                length = lengths[block[place + 2]]
                if (
                    not length
                    or block[place] != 0xFF
                    or block[place + 1] | 1 != second
                    or (block[place + 3] >= 0xC0) != is_mono
                ):
                    return at + place, last, count
                if block[place + mark] in b"XI" or block[place + 36] == 86 or block[place + mark + 2] in b"XI":
                    head = block[place : place + _HEAD]
                    if at + place > begin and _stated(head, self.header, 0) is not None:
                        return at + place, last, count
                last = at + place
                place += length
                count += 1
            at += place
            if is_last:
                break
        return at, last, count


def _speaks_for_all(file: BinaryIO, start: int, end: int) -> bool:
    """Whether a first frame states as many bytes as there are, tags behind them apart."""
    head = _read(file, start, min(_HEAD, end - start))
    header = parse_header(head[:4])
    piece = None if header is None else _stated(head, header, start)
    if piece is None or not piece.promised or not piece.size:
        return False
    return piece.size in (end - start, _without_tags(file, start, end) - start)


def _find_frame(file: BinaryIO, at: int, until: int, end: int) -> tuple[int, Header] | None:
    """The next frame that begins before ``until`` and is followed by two of its stream, or by as many as have room."""
    while at < until:
        block = _read(file, at, min(_LEAD, end - at))
        place = block.find(0xFF)
        while 0 <= place < min(len(block) - 3, until - at):
            header = parse_header(block[place : place + 4])
            if header is not None and _is_followed(file, at + place, end, header):
                return at + place, header
            place = block.find(0xFF, place + 1)
        if at + len(block) >= end:
            return None
        at += len(block) - 3
    return None


def _is_followed(file: BinaryIO, at: int, end: int, header: Header) -> bool:
    for number in range(3):
        if number and at + 4 > end:
            return at == end or number > 1
        head = _read(file, at, 32)
        following = parse_header(head[:4])
        if following is None or following.stream != header.stream:
            return number > 0 and bool(_tag_length(head))
        at += following.length
    return True


def _tag_length(head: bytes) -> int:
    """Bytes of the tag that begins so: ID3v2, ID3v1, APEv2; 0 if it is none."""
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:
        size = functools.reduce(lambda whole, seven: whole << 7 | seven, head[6:10], 0)
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) >= 32:
        size, flags = struct.unpack("<I4xI", head[12:24])
        return size + 32 if flags & 1 << 29 else 32
    return 227 if head[:4] == b"TAG+" else 128 if head[:3] == b"TAG" else 0


def _without_tags(file: BinaryIO, start: int, end: int) -> int:
    """Where the frames end, if ID3v1 or APEv2 stands behind them."""
    if end - start > 128 and _read(file, end - 128, 3) == b"TAG":
        end -= 128
    foot = _read(file, end - 32, 32) if end - start > 32 else b""
    if foot[:8] == b"APETAGEX":
        size, flags = struct.unpack("<I4xI", foot[12:24])
        end -= size + (32 if flags & 1 << 31 else 0)
    return end


def _mark_place(header: Header) -> int:
    """Where ``Xing`` or ``Info`` stands in a frame: behind header and side information."""
    return 4 + ((17, 32) if header.is_mpeg1 else (9, 17))[header.channels - 1]


def _stated(head: bytes, header: Header, at: int) -> _Piece | None:
    """What a frame states of those behind it; None of a frame of sound."""
    if header.layer != 3:
        return None
    mark = _mark_place(header)
    for place in (mark, mark + 2):  # behind a checksum
        if head[place : place + 4] in (b"Xing", b"Info") and len(head) >= place + 8:
            flags = head[place + 7]
            place += 8
            promised = size = 0
            if flags & 1:
                promised, place = int.from_bytes(head[place : place + 4], "big"), place + 4
            if flags & 2:
                size, place = int.from_bytes(head[place : place + 4], "big"), place + 4
            place += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
            lame = head[place : min(place + _LAME, header.length)]
            return _Piece(at, promised, size, lame if len(lame) == _LAME and lame[0] else b"")
    if head[36:40] == b"VBRI" and len(head) >= 54:
        size, promised = struct.unpack(">II", head[46:54])
        return _Piece(at, promised, size)
    return None


def _delays(pieces: Sequence[_Piece]) -> bytes:
    """LAME's part of the frame that speaks for all: what the first one's encoder put before, the last one's behind."""
    if not pieces[0].lame:
        return b""
    delay = int.from_bytes(pieces[0].lame[21:24], "big") >> 12
    padding = int.from_bytes(pieces[-1].lame[21:24], "big") & 0xFFF if pieces[-1].count == pieces[-1].promised else 0
    padding = padding if padding >= _DECODER_DELAY else 0
    lame = bytearray(pieces[0].lame)
    lame[21:24] = (delay << 12 | padding).to_bytes(3, "big")
    lame[_LAME - 2 :] = b"\0\0"  # a checksum, of what it no longer is
    return bytes(lame)


def _stating(like: bytes, frames: int, size: int, delays: bytes) -> bytes:
    """A frame of layer III without sound that states how many there are, in as few bytes as hold it."""
    for kbits in range(1, 15):
        head = bytes((0xFF, like[1] | 1, kbits << 4 | like[2] & 0xC, like[3]))
        header = parse_header(head)
        if header is None:
            continue
        body = head.ljust(_mark_place(header), b"\0")
        # Of 2^32 bytes and more, which the field doesn't hold, it says nothing.
        body += b"Info" + struct.pack(">III", 3 if size >> 32 == 0 else 1, frames, size)[: 12 if size >> 32 == 0 else 8]
        body += delays
        if len(body) + 4 <= header.length:
            return body.ljust(header.length, b"\0")
    return b""


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)
