"""Files that are images of lines, and all the ways in which files are not."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seqpipe import FileSpan, InputError, LineImage
from seqpipe.core.warning import collecting_warnings
from seqpipe.features.image.image_file import opened

Written = Callable[..., np.ndarray]
STAGE = LineImage(height=24)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def failure(raw: Any, stage: LineImage = STAGE) -> InputError:
    with pytest.raises(InputError) as caught:
        stage.prepare(raw, None)
    return caught.value


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """A PNG of some 100 bytes that promises more."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in parts)


def test_a_file_may_be_given_in_many_ways(tmp_path: Path, written: Written) -> None:
    content = file_of(Image.fromarray(written()))
    path = tmp_path / "line.of\udcff ink.png" if os.name == "posix" else tmp_path / "line.png"
    path.write_bytes(content)
    want = STAGE.prepare(written(), None)
    for raw in (path, str(path), content, FileSpan(path), FileSpan(content)):
        assert torch.equal(STAGE.prepare(raw, None), want)
        assert STAGE.length(raw) == len(want)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "PNG, at its end", "JPEG", "TIFF", "TIFF, packed"])
def test_a_picture_is_turned_as_its_file_says(kind: str, orientation: int, written: Written) -> None:
    image = Image.fromarray(written("Fig", margin=20))
    want = STAGE.prepare(np.asarray(image), None).float()
    stored = {  # the opposite of what a reader has to do
        1: lambda: image,
        2: lambda: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda: image.transpose(Image.Transpose.ROTATE_180),
        4: lambda: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda: image.transpose(Image.Transpose.ROTATE_90),
        7: lambda: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda: image.transpose(Image.Transpose.ROTATE_270),
    }[orientation]()
    tags = Image.Exif()
    tags[0x0112] = orientation
    if kind == "PNG, at its end":
        plain = file_of(stored)
        raw = plain[:-12] + png_chunk(b"eXIf", tags.tobytes().removeprefix(b"Exif\0\0")) + plain[-12:]
    elif kind.startswith("TIFF"):
        packed = {"compression": "tiff_adobe_deflate"} if "packed" in kind else {}
        raw = file_of(stored, "TIFF", tiffinfo={0x0112: orientation}, **packed)
    else:
        raw = file_of(stored, kind, exif=tags, **({"quality": 95} if kind == "JPEG" else {}))
    got = STAGE.prepare(raw, None).float()
    assert STAGE.length(raw) == len(got) == len(want)
    assert float((got - want).abs().mean()) < 2


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_an_orientation_that_makes_no_sense_is_none(written: Written) -> None:
    image = Image.fromarray(written("Fig"))
    want = STAGE.prepare(file_of(image), None)
    tags = Image.Exif()
    tags[0x0112] = 77
    for exif in (tags.tobytes(), b"Exif\0\0", b"Exif\0\0II*\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"):
        assert torch.equal(STAGE.prepare(file_of(image, exif=exif), None), want)


def test_a_large_jpeg_is_what_its_scaled_copy_is(written: Written) -> None:
    """It is decoded at a part of its size."""
    brightness = written(size=300, margin=40)
    large = STAGE.prepare(file_of(Image.fromarray(brightness).convert("RGB"), "JPEG", quality=95), None)
    want = STAGE.prepare(brightness, None)
    assert large.shape == want.shape
    assert float((large.float() - want.float()).abs().mean()) < 3


def test_of_several_pages_the_first_is_read(written: Written) -> None:
    first, second = Image.fromarray(written("one")), Image.fromarray(written("another"))
    raw = file_of(first, "TIFF", save_all=True, append_images=[second])
    with collecting_warnings() as heard:
        prepared = STAGE.prepare(raw, None)
    assert torch.equal(prepared, STAGE.prepare(np.asarray(first), None))
    assert [kind for kind, _ in heard] == ["several pages"]
    assert heard[0][1].endswith("the file has 2 pages; the first is read")
    with collecting_warnings() as heard:
        STAGE.prepare(file_of(first, "TIFF"), None)
        STAGE.prepare(FileSpan(raw, page=2), None)
    assert heard == []


class TestWhatIsNoImage:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        for path in (tmp_path / "gone.png", tmp_path / "a\0b.png"):
            assert failure(path).kind == "missing"
            assert "no such file" in str(failure(path))

    def test_a_folder(self, tmp_path: Path) -> None:
        assert (failure(tmp_path).kind, str(failure(tmp_path))) == (
            "not a file",
            f"{tmp_path}: is a directory, not an image",
        )

    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "empty.png").touch()
        assert [failure(raw).kind for raw in (tmp_path / "empty.png", b"")] == ["empty", "empty"]

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "secret.png"
        path.write_bytes(b"x")
        path.chmod(0)
        assert failure(path).kind == "unreadable"

    @pytest.mark.parametrize(
        "content", [b"RIFF----WAVEfmt ", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0", b"<svg/>", b"\x89PN"]
    )
    def test_a_file_of_another_kind(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "line.png"
        path.write_bytes(content)
        assert (failure(path).kind, str(failure(path))) == ("undecodable", f"{path}: is no PNG, JPEG or TIFF")

    @pytest.mark.parametrize("raw", [None, 5, "", ["a.png"], {"array": np.ones((5, 5))}], ids=str)
    def test_a_value_of_another_kind(self, raw: Any) -> None:
        assert failure(raw).kind == "bad value"
        assert "an image is a path, the bytes of a file" in str(failure(raw))

    def test_a_part_of_an_image_in_seconds(self) -> None:
        for span in (FileSpan(Path("line.png"), 1.0), FileSpan(Path("line.png"), 0.0, 2.0)):
            assert failure(span).kind == "bad value"
            assert "an image has no start and end in seconds" in str(failure(span))

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("PNG", {}),
            ("JPEG", {}),
            ("JPEG", {"progressive": True}),
            ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("TIFF", {"compression": "group4"}),
        ],
        ids=str,
    )
    def test_a_file_that_breaks_off(self, kind: str, options: dict[str, Any], written: Written) -> None:
        mode = "1" if "group4" in options.values() else "L"
        content = file_of(Image.fromarray(written()).convert(mode), kind, **options)
        for share in (0.2, 0.5, 0.8, 0.95):
            assert failure(content[: int(share * len(content))]).kind == "truncated", share

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
    def test_hundreds_of_damaged_files_are_answered_or_refused(self, kind: str, written: Written) -> None:
        draw = np.random.default_rng(0)
        content = file_of(Image.fromarray(written("damaged")), kind)
        kinds: list[str] = []
        for _ in range(300):
            damaged = bytearray(content)
            for _ in range(draw.integers(1, 6)):
                damaged[draw.integers(len(damaged) if draw.random() < 0.5 else 100)] = draw.integers(256)
            try:
                prepared = STAGE.prepare(bytes(damaged), None)
            except InputError as error:
                kinds.append(error.kind)
            else:
                assert len(prepared) == STAGE.length(bytes(damaged))
        assert kinds
        assert set(kinds) <= {"undecodable", "truncated", "too large", "empty"}


class TestSize:
    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (60_000, 2_000), (2**31 - 1, 2**31 - 1)])
    def test_more_pixels_than_allowed_are_refused_by_the_header(self, width: int, height: int) -> None:
        for ask in (lambda raw: STAGE.prepare(raw, None), STAGE.length):
            with pytest.raises(InputError, match=f"has {width} x {height} pixels; 50000000 are allowed") as caught:
                ask(bomb(width, height))
            assert caught.value.kind == "too large"

    @pytest.mark.filterwarnings("error")
    def test_the_limit_is_ones_own_and_not_that_of_pillow(self) -> None:
        assert failure(bomb(20_000, 20_000), LineImage(max_pixels=10**9)).kind in ("truncated", "undecodable")
        assert failure(file_of(Image.new("L", (100, 50))), LineImage(max_pixels=4999)).kind == "too large"
        assert LineImage(height=50, max_pixels=5000).length(file_of(Image.new("L", (100, 50)))) == 100

    def test_a_flat_image_that_would_become_huge_is_refused(self) -> None:
        flat = file_of(Image.new("L", (50_000, 1)))
        assert failure(flat, LineImage(height=1024)).kind == "too large"
        assert "are 51200000 columns at a height of 1024" in str(failure(flat, LineImage(height=1024)))

    def test_the_widest_line_allowed(self) -> None:
        stage = LineImage(height=64, max_length=300)
        assert len(stage.prepare(np.ones((64, 300)), None)) == 300
        error = failure(np.ones((64, 301)), stage)
        assert error.kind == "too large"
        assert str(error) == "image array: is 301 columns wide; 300 are allowed (max_length)"


def test_the_file_is_closed_whatever_happens(tmp_path: Path, written: Written) -> None:
    path = tmp_path / "line.png"
    content = file_of(Image.fromarray(written()))
    for part in (content, content[:200]):
        path.write_bytes(part)
        files = []
        try:
            with opened(FileSpan(path), max_pixels=10**6) as found:
                files.append(found.image.fp)
                found.image.load()
        except InputError:
            pass
        assert all(file.closed for file in files if file is not None)
