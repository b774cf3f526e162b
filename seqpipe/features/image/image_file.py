"""Opening image files: what their header says, and their pixels as brightness."""

from __future__ import annotations

import io
import reprlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from seqpipe.core.input import FileSpan
from seqpipe.errors import InputError, decoding
from seqpipe.features.image.image_pixels import Brightness, brightness_of
from seqpipe.features.image.tiff import SIGNATURES, beginning_at, check_directory, page_offsets
from seqpipe.features.input_file import check_file

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
ORIENTATION = 0x0112
"""Tag of EXIF and TIFF."""
TURNED = (5, 6, 7, 8)
"""Orientations whose rows are the picture's columns."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An image file whose header was read.

    Attributes:
        name: for messages.
        image: of Pillow; its pixels are not decoded yet.
        width: in pixels, as it is to be looked at.
        height: in pixels, as it is to be looked at.
        orientation: how it has yet to be turned, as EXIF counts: 1 not at all.
        pages: that the file holds, as far as they were counted: up to the one that was asked for.
    """

    name: str
    image: Any
    width: int
    height: int
    orientation: int
    pages: int


def image_of(raw: Any) -> FileSpan:
    """The file that an input is, or its bytes, with the page that is meant; raises `InputError` if it is none."""
    if isinstance(raw, FileSpan):
        if not raw.is_whole:
            raise InputError("bad value", f"{raw}: an image has no start and end in seconds; leave both out")
        return raw
    if isinstance(raw, (str, Path)) and raw != "":
        return FileSpan(Path(raw))
    if isinstance(raw, bytes):
        return FileSpan(raw)
    raise InputError(
        "bad value",
        "an image is a path, the bytes of a file, a FileSpan, an array [H, W] or [H, W, 3] or the line of a page; "
        f"received {reprlib.repr(raw)} ({type(raw).__name__})",
    )


def count_pages(image: FileSpan) -> int:
    """How many pages an image's file has: those of a TIFF (`page_offsets`), else 1; also of one that can't be read.

    Raises:
        InputError: they are too many.
    """
    source, name = image.source, str(image)
    try:
        if isinstance(source, Path) and not source.is_file():
            return 1
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            return len(page_offsets(file, name)) if start in SIGNATURES else 1
    except (OSError, ValueError):
        return 1


@contextmanager
def opened(image: FileSpan, *, max_pixels: int) -> Iterator[Opened]:
    """An image file, its header read and its pixels not.

    A JPEG's further images are a camera's previews, and a PNG's are frames of an animation: neither are pages.

    Args:
        image: path or bytes of a PNG, JPEG or TIFF; of several pages the first, unless it says which.
        max_pixels: of an image; it would take as many bytes or several times as many.

    Raises:
        InputError: the file is missing, no file, unreadable, empty, truncated, too large or no image, or has no such
            page; while it is open, whatever shows that it is truncated or undecodable.
    """
    source, name = image.source, str(image)
    if isinstance(source, Path):
        check_file(source, "an image")
    elif not source:
        raise InputError("empty", f"{name}: the file is empty (0 bytes)")
    with (
        decoding(name, "an image"),
        io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
    ):
        found = _read_header(file, name, image.page)
        if found.width * found.height > max_pixels:
            raise InputError(
                "too large",
                f"{name}: has {found.width} x {found.height} pixels; {max_pixels} are allowed (max_pixels)",
            )
        yield found


def _read_header(file: BinaryIO, name: str, page: int | None) -> Opened:
    # The classes themselves: Image.open would try other formats too, some of them run programs, and would let its own
    # limit of pixels (a global of the process) decide about large images, with a warning or an error.
    start = file.read(8)
    file.seek(0)
    pages, orientation = 1, 1
    image: Any
    if start == PNG:
        from PIL.PngImagePlugin import PngImageFile

        orientation = _orientation(_exif_of_png(file, name))
        image = PngImageFile(file)
    elif start.startswith(JPEG):
        from PIL.JpegImagePlugin import JpegImageFile

        image = JpegImageFile(file)
        orientation = _orientation(image.info.get("exif", b""))
    elif start.startswith(SIGNATURES):
        from PIL.TiffImagePlugin import TiffImageFile

        offsets = page_offsets(file, name, page)
        pages = len(offsets)
        if page is None or 1 <= page <= pages:
            at = offsets[(page or 1) - 1]
            check_directory(file, name, at)
            image = TiffImageFile(beginning_at(file, at))  # turns itself as its tag says
            _check_strips(image, file, name)
    else:
        raise InputError("undecodable", f"{name}: is no PNG, JPEG or TIFF")
    if page is not None and not 1 <= page <= pages:
        there = f"there are pages 1 to {pages:,}" if pages > 1 else "there is one page"
        raise InputError("bad value", f"{name}: {there}")
    width, height = reversed(image.size) if orientation in TURNED else image.size
    if width < 1 or height < 1:
        raise InputError("empty", f"{name}: has {width} x {height} pixels")
    return Opened(name, image, width, height, orientation, pages)


def _exif_of_png(file: BinaryIO, name: str) -> bytes:
    """Of its chunk eXIf, which may stand behind the pixels: Pillow would know of it only after decoding them."""
    found = b""
    end = file.seek(0, io.SEEK_END)
    at = len(PNG)
    while at + 8 <= end:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if at + 12 + length > end:
            raise InputError(
                "truncated", f"{name}: ends at byte {end}, in a part of the image that goes on to {at + 12 + length}"
            )
        if kind == b"eXIf":
            found = file.read(length)
        if kind == b"IEND":
            break
        at += 12 + length
    file.seek(0)
    return found


def _orientation(exif: bytes) -> int:
    """1 to 8; 1 where nothing is said, or nothing that can be understood."""
    if not exif:
        return 1
    from PIL.Image import Exif

    try:
        with decoding("EXIF", "a block of tags"):
            tags = Exif()
            tags.load(exif)
            value = tags.get(ORIENTATION, 1)
    except InputError:
        return 1
    return value if value in range(1, 9) else 1


def _check_strips(image: Any, file: BinaryIO, name: str) -> None:
    """A TIFF says where its pixels lie; libtiff itself would say of missing ones no more than that it failed."""
    starts, sizes = (image.tag_v2.get(273) or image.tag_v2.get(324), image.tag_v2.get(279) or image.tag_v2.get(325))
    if not (isinstance(starts, tuple) and isinstance(sizes, tuple)):
        return
    needed = max((start + size for start, size in zip(starts, sizes, strict=False)), default=0)
    here = file.tell()
    end = file.seek(0, io.SEEK_END)
    file.seek(here)
    if needed > end:
        raise InputError("truncated", f"{name}: ends after {end} of the {needed} bytes that its header promises")


def read_brightness(found: Opened, *, width: int, height: int) -> Brightness:
    """The pixels ``[H, W]`` of an open file, upright: 8 bits of brightness, or 0 to 1 where the file has more.

    Args:
        found: by `opened`.
        width: that the image will be scaled to.
        height: that it will be scaled to; a JPEG of more than four times as much is decoded at a half, a quarter or an
            eighth of its size, which takes a fraction of the time.
    """
    from PIL import Image

    image = found.image
    if image.format == "JPEG":
        size = (2 * width, 2 * height)
        image.draft("L", (size[1], size[0]) if found.orientation in TURNED else size)
    pixels = brightness_of(image, found.name)
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(found.orientation)
    return pixels if turn is None else pixels.transpose(turn)
