"""Slant and skew that were put into a line are found, and undone."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from seqpipe import LineImage
from seqpipe.features.image.slant import find_skew, find_slant, straightened

Written = Callable[..., np.ndarray]


def leaning(brightness: np.ndarray, degrees: float) -> np.ndarray:
    """Ink ``[H, W]`` of the line with its top moved to the right, in a canvas with room for it."""
    height = len(brightness)
    tangent = math.tan(math.radians(degrees))
    room = math.ceil(abs(tangent) * height / 2)
    wide = Image.fromarray(255 - np.pad(brightness, ((0, 0), (room, room)), constant_values=255))
    matrix = (1, tangent, -tangent * (height - 1) / 2, 0, 1, 0)
    turned = wide.transform(wide.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(turned).astype(np.float32) / 255


def rising(brightness: np.ndarray, degrees: float) -> np.ndarray:
    """Ink ``[H, W]`` of the line, turned, in a canvas with room for it."""
    image = Image.fromarray(255 - brightness).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(image).astype(np.float32) / 255


@pytest.mark.parametrize("degrees", [-40, -25, -10, 0, 8, 20, 33, 45])
def test_slant_is_found(degrees: float, written: Written) -> None:
    """To 3 degrees: between two shears, the letters' own shapes decide."""
    found = math.degrees(math.atan(find_slant(leaning(written(), degrees))))
    assert found == pytest.approx(degrees, abs=3)


@pytest.mark.parametrize("degrees", [-30, 15, 35])
def test_slanted_writing_is_made_upright(degrees: float, written: Written) -> None:
    ink = leaning(written(), degrees)
    upright = straightened(ink, slant=True, skew=False)
    assert upright.shape == ink.shape
    assert abs(math.degrees(math.atan(find_slant(upright)))) <= 3
    assert upright.sum() == pytest.approx(ink.sum(), rel=0.05)


@pytest.mark.parametrize("degrees", [-4, -2, 0, 1, 3, 5])
def test_skew_is_found_and_undone(degrees: float, written: Written) -> None:
    ink = rising(written("the willing hills fill, minimum of some more"), degrees)
    assert math.degrees(math.atan(-find_skew(ink))) == pytest.approx(degrees, abs=0.4)
    level = straightened(ink, slant=False, skew=True)
    assert level.shape == ink.shape
    assert abs(math.degrees(math.atan(find_skew(level)))) <= 0.4
    assert level.sum() == pytest.approx(ink.sum(), rel=0.05)


def test_both_are_undone_at_once(written: Written) -> None:
    leaned = np.round(255 * (1 - leaning(written("the willing hills fill, minimum of some more"), 25))).astype(np.uint8)
    ink = rising(leaned, 3)
    straight = straightened(ink, slant=True, skew=True)
    assert abs(math.degrees(math.atan(find_skew(straight)))) <= 0.4
    assert abs(math.degrees(math.atan(find_slant(straight)))) <= 3


@pytest.mark.parametrize("degrees", [-45, 45])
def test_no_ink_is_lost_at_the_ends(degrees: float) -> None:
    """Not even dots in all corners, of a line that fills its image."""
    ink = np.zeros((64, 400), np.float32)
    for row in (2, 58):
        for column in (2, 394):
            ink[row : row + 4, column : column + 4] = 1
    for left in range(40, 360, 20):  # strokes that lean
        for row in range(64):
            ink[row, round(left + math.tan(math.radians(degrees)) * (31.5 - row) / 2) % 400 :][:3] = 1
    upright = straightened(ink, slant=True, skew=False)
    assert upright.shape == ink.shape
    assert upright.sum() > 0.85 * ink.sum()  # compressed by as much
    assert not np.array_equal(upright, ink)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (64, 64), (64, 900)])
def test_nothing_is_found_where_nothing_is(shape: tuple[int, int]) -> None:
    blank = np.zeros(shape, np.float32)
    assert (find_skew(blank), find_slant(blank)) == (0, 0)
    assert straightened(blank, slant=True, skew=True) is blank
    full = np.ones(shape, np.float32)
    assert straightened(full, slant=True, skew=True).shape == shape


def test_the_width_is_the_headers_all_the_same(written: Written) -> None:
    for options in ({"slant": True}, {"skew": True}, {"slant": True, "skew": True}):
        for size in (20, 70):
            raw = 1 - leaning(written(size=size), 30)
            stage = LineImage(**options)
            assert len(stage.prepare(raw, None)) == stage.length(raw) == LineImage().length(raw)
