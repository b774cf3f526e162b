"""The same picture is the same brightness, whatever depth and colours it is kept in."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from seqpipe import InputError, LineImage

Written = Callable[..., np.ndarray]


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def prepared(raw: Any, **options: Any) -> Tensor:
    return LineImage(height=32, **options).prepare(raw, None)


def transparent(brightness: np.ndarray) -> Image.Image:
    """Black ink of varying opacity over nothing, whose own colour is black too."""
    return Image.merge("LA", (Image.new("L", brightness.shape[::-1]), Image.fromarray(255 - brightness)))


def palette_with_transparency(brightness: np.ndarray) -> bytes:
    """Two colours, both black; the paper's is transparent."""
    image = Image.fromarray((brightness > 127).astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    return file_of(image, transparency=1)


def two_bits(brightness: np.ndarray) -> bytes:
    image = Image.fromarray(np.where(brightness > 127, 3, 0).astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 90, 90, 90, 180, 180, 180, 255, 255, 255])
    return file_of(image, bits=2)


GREY: dict[str, Callable[[np.ndarray], Any]] = {
    "PNG": lambda b: file_of(Image.fromarray(b)),
    "16 bit PNG": lambda b: file_of(Image.fromarray(b.astype(np.uint16) * 257)),
    "16 bit TIFF": lambda b: file_of(Image.fromarray(b.astype(np.uint16) * 257), "TIFF"),
    "16 bit TIFF, white is zero": lambda b: file_of(
        Image.fromarray((255 - b).astype(np.uint16) * 257), "TIFF", tiffinfo={262: 0}
    ),
    "8 bit TIFF": lambda b: file_of(Image.fromarray(b), "TIFF", compression="tiff_lzw"),
    "32 bit TIFF": lambda b: file_of(Image.fromarray(b.astype(np.int32) * 257), "TIFF"),
    "float TIFF": lambda b: file_of(Image.fromarray(b.astype(np.float32) / 255), "TIFF"),
    "float TIFF to 255": lambda b: file_of(Image.fromarray(b.astype(np.float32)), "TIFF"),
    "palette": lambda b: file_of(Image.fromarray(b).convert("P")),
    "RGB": lambda b: file_of(Image.fromarray(b).convert("RGB")),
    "RGBA": lambda b: file_of(Image.fromarray(b).convert("RGBA")),
    "RGB TIFF": lambda b: file_of(Image.fromarray(b).convert("RGB"), "TIFF"),
    "CMYK TIFF": lambda b: file_of(Image.fromarray(b).convert("CMYK"), "TIFF"),
    "LA on nothing": lambda b: file_of(transparent(b)),
    "RGBA on nothing": lambda b: file_of(transparent(b).convert("RGBA")),
    "array": lambda b: b,
    "uint16 array": lambda b: b.astype(np.uint16) * 257,
    "float array": lambda b: b / 255,
    "RGB array": lambda b: np.stack([b, b, b], axis=2),
    "one channel": lambda b: b[:, :, None],
    "float RGBA array": lambda b: np.stack([0 * b, 0 * b, 0 * b, 255 - b], axis=2) / 255,
}


@pytest.mark.parametrize("kind", GREY)
def test_grey_is_grey_in_every_file(kind: str, written: Written) -> None:
    brightness = written()
    want, got = prepared(brightness).int(), prepared(GREY[kind](brightness)).int()
    assert int(want.max()) == 255
    assert int((got - want).abs().max()) <= 3


@pytest.mark.parametrize("kind", ["JPEG", "CMYK JPEG", "progressive JPEG"])
def test_lossy_files_are_near(kind: str, written: Written) -> None:
    image = Image.fromarray(written()).convert("CMYK" if "CMYK" in kind else "RGB")
    got = prepared(file_of(image, "JPEG", quality=95, progressive="progressive" in kind))
    assert float((got.int() - prepared(written()).int()).abs().float().mean()) < 2


BLACK_AND_WHITE: dict[str, Callable[[np.ndarray], Any]] = {
    "1 bit PNG": lambda b: file_of(Image.fromarray(b).convert("1")),
    "2 bit PNG": two_bits,
    "fax TIFF": lambda b: file_of(Image.fromarray(b).convert("1"), "TIFF", compression="group4"),
    "palette": palette_with_transparency,
    "bool array": lambda b: b > 127,
}


@pytest.mark.parametrize("kind", BLACK_AND_WHITE)
def test_two_levels_are_paper_and_ink(kind: str, written: Written) -> None:
    brightness = np.where(written() > 127, 255, 0).astype(np.uint8)
    assert int((prepared(BLACK_AND_WHITE[kind](brightness)).int() - prepared(brightness).int()).abs().max()) <= 3


def test_the_grey_of_a_png_that_stands_for_nothing_is_paper(written: Written) -> None:
    brightness = np.where(written() > 127, 255, 0).astype(np.uint8)
    for deep in (brightness, brightness.astype(np.uint16) * 257):
        paper = int(deep.max())
        black = np.where(deep == paper, paper // 3, 0).astype(deep.dtype)
        raw = file_of(Image.fromarray(black), transparency=paper // 3)
        assert int((prepared(raw).int() - prepared(brightness).int()).abs().max()) <= 3


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_cameras_that_use_a_part_of_16_bits_are_no_darker(bits: int, written: Written) -> None:
    deep = (written().astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    got = prepared(file_of(Image.fromarray(deep)), ink="dark")
    assert int((got.int() - prepared(written()).int()).abs().max()) <= 3


@pytest.mark.parametrize("bits", [17, 20, 22, 23, 24, 25, 28, 31])
def test_integers_of_any_depth_are_no_darker(bits: int, written: Written) -> None:
    deep = (written().astype(np.int64) * (2**bits - 1) // 255).astype(np.int32)
    got = prepared(file_of(Image.fromarray(deep), "TIFF"), ink="dark")
    assert int((got.int() - prepared(written()).int()).abs().max()) <= 3


@pytest.mark.parametrize(
    ("array", "kind", "said"),
    [
        (np.zeros((0, 5), np.uint8), "empty", "has 5 x 0 pixels"),
        (np.zeros(5, np.uint8), "bad value", r"\[H, W\].*received \[5\]"),
        (np.zeros((5, 5, 2), np.uint8), "bad value", r"received \[5, 5, 2\]"),
        (np.zeros((5, 5, 3, 1), np.uint8), "bad value", r"received \[5, 5, 3, 1\]"),
        (np.full((5, 5), np.nan, np.float32), "non-finite", "the pixel at 0, 0 is not a finite number"),
        (np.full((5, 5), 255.0), "bad value", "brightness from 0 to 1; received 255 to 255"),
        (np.zeros((5, 5), np.int64), "bad value", "received int64"),
        (np.zeros((5, 5), object), "bad value", "received object"),
    ],
    ids=str,
)
def test_arrays_that_are_no_images_are_refused(array: np.ndarray, kind: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        prepared(array)
    assert caught.value.kind == kind


@pytest.mark.parametrize("shape", [(0, 5), (5,), (5, 5, 2)])
def test_what_has_no_width_is_not_measured(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="image array: "):
        LineImage().length(np.zeros(shape, np.uint8))


def test_a_float_file_with_values_that_are_no_numbers_is_refused() -> None:
    values = np.ones((20, 30), np.float32)
    values[7, 11] = np.inf
    with pytest.raises(InputError, match="the pixel at 11, 7 is not a finite number") as caught:
        prepared(file_of(Image.fromarray(values), "TIFF"))
    assert caught.value.kind == "non-finite"
