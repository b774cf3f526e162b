"""TIFF of several pages, and of images that are none."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

from seqpipe import FileSpan, InputError, LineImage
from seqpipe.features.image.tiff import MAX_DIRECTORIES, page_offsets

Written = Callable[..., np.ndarray]
STAGE = LineImage(height=24)


def tiff(*images: tuple[Image.Image, int | None], large: bool = False, compression: str = "raw") -> bytes:
    """A file of images, each with its ``NewSubfileType``."""
    stream = io.BytesIO()
    with AppendingTiffWriter(stream, new=True) as writer:
        for image, kind in images:
            tags = {} if kind is None else {254: kind}
            image.save(writer, "TIFF", tiffinfo=tags, compression=compression, big_tiff=large)
            writer.newFrame()
    return stream.getvalue()


@pytest.fixture
def pages(written: Written) -> list[Image.Image]:
    return [Image.fromarray(written(word)) for word in ("one", "another", "third")]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate", "group4"])
def test_each_page_is_an_input(large: bool, compression: str, pages: list[Image.Image], tmp_path: Path) -> None:
    if compression == "group4":
        pages = [page.convert("1") for page in pages]
    content = tiff(*((page, None) for page in pages), compression=compression, large=large)
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    for raw in (path, str(path), FileSpan(path), content):
        parts = STAGE.unbind(raw)
        assert parts is not None
        assert [suffix for suffix, _ in parts] == ["#1", "#2", "#3"]
        for page, (_, part) in zip(pages, parts, strict=True):
            assert torch.equal(STAGE.prepare(part, None), STAGE.prepare(np.asarray(page.convert("L")), None))
            assert STAGE.length(part) == len(STAGE.prepare(part, None))
            assert STAGE.unbind(part) is None
    assert [part.name for _, part in STAGE.unbind(path) or []] == [f"{path}#{number}" for number in (1, 2, 3)]
    assert len({part.identity() for _, part in STAGE.unbind(path) or []}) == 3


def test_thumbnails_and_masks_are_no_pages(pages: list[Image.Image]) -> None:
    one, two, small = pages[0], pages[1], pages[0].resize((9, 4))
    shown = tiff((small, 1), (one, 0), (two, 2), (small, 3), (one, 4))
    assert [suffix for suffix, _ in STAGE.unbind(shown) or []] == ["#1", "#2"]
    assert torch.equal(STAGE.prepare(shown, None), STAGE.prepare(np.asarray(one), None))
    assert torch.equal(STAGE.prepare(FileSpan(shown, page=2), None), STAGE.prepare(np.asarray(two), None))
    pyramid = tiff((one, None), (small, 1), (small, 1))
    assert STAGE.unbind(pyramid) is None
    assert STAGE.unbind(tiff((small, 1))) is None  # there is nothing else
    assert len(STAGE.prepare(tiff((small, 1)), None)) == STAGE.length(np.asarray(small))


def test_the_old_kind_of_subfile_is_known_too(pages: list[Image.Image]) -> None:
    for kind, count in ((1, 2), (2, 1), (3, 2)):
        stream = io.BytesIO()
        with AppendingTiffWriter(stream, new=True) as writer:
            for page, tags in ((pages[0], {255: 1}), (pages[1], {255: kind})):
                page.save(writer, "TIFF", tiffinfo=tags)
                writer.newFrame()
        stream.seek(0)
        assert len(page_offsets(stream, "a")) == count


def test_other_files_have_one_page(pages: list[Image.Image], tmp_path: Path) -> None:
    stream = io.BytesIO()
    pages[0].save(stream, "PNG", save_all=True, append_images=[page.resize(pages[0].size) for page in pages[1:]])
    motion = io.BytesIO()
    pages[0].save(motion, "MPO", save_all=True, append_images=pages[1:])
    for content in (stream.getvalue(), motion.getvalue()):
        assert STAGE.unbind(content) is None
        assert len(STAGE.prepare(content, None)) == STAGE.length(np.asarray(pages[0]))
    for nothing in (tmp_path / "gone.tif", tmp_path, b"", b"II*\0", np.zeros((5, 5), np.uint8)):
        assert STAGE.unbind(nothing) is None


def test_a_page_that_is_not_there_is_named(pages: list[Image.Image], tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff((pages[0], None), (pages[1], None)))
    with pytest.raises(InputError, match=r"a\.tif#3: there are pages 1 to 2"):
        STAGE.prepare(FileSpan(path, page=3), None)
    pages[0].save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png#2: there is one page"):
        STAGE.prepare(FileSpan(tmp_path / "a.png", page=2), None)


def test_a_broken_page_costs_itself_alone(pages: list[Image.Image]) -> None:
    content = bytearray(tiff(*((page, None) for page in pages), compression="tiff_adobe_deflate"))
    offsets = page_offsets(io.BytesIO(bytes(content)), "a")
    count = struct.unpack_from("<H", content, offsets[1])[0]
    for entry in range(count):
        content[offsets[1] + 2 + 12 * entry + 2] = 99  # of a type that there isn't
    want = [STAGE.prepare(np.asarray(page), None) for page in pages]
    parts = [part for _, part in STAGE.unbind(bytes(content)) or []]
    assert len(parts) == 3
    for number in (0, 2):
        assert torch.equal(STAGE.prepare(parts[number], None), want[number])
    with pytest.raises(InputError, match="#2"):
        STAGE.prepare(parts[1], None)


def test_a_file_that_breaks_off_loses_its_last_pages(pages: list[Image.Image]) -> None:
    content = tiff(*((page, None) for page in pages))
    offsets = page_offsets(io.BytesIO(content), "a")
    parts = [part for _, part in STAGE.unbind(content[: offsets[1] + 20]) or []]
    assert len(parts) == 2
    assert torch.equal(STAGE.prepare(parts[0], None), STAGE.prepare(np.asarray(pages[0]), None))
    with pytest.raises(InputError, match="#2: ends after") as caught:
        STAGE.prepare(parts[1], None)
    assert caught.value.kind == "truncated"


def test_directories_in_a_circle_or_without_end_do_no_harm() -> None:
    one = struct.pack("<HHHIII", 1, 256, 4, 1, 5, 8)  # leads back to itself
    assert page_offsets(io.BytesIO(b"II*\0" + struct.pack("<I", 8) + one), "a") == [8]
    size = 6
    chain = b"".join(struct.pack("<HI", 0, 8 + size * (at + 1)) for at in range(MAX_DIRECTORIES + 10))
    with pytest.raises(InputError, match="a: has more than 10,000 images"):
        page_offsets(io.BytesIO(b"II*\0" + struct.pack("<I", 8) + chain), "a")
