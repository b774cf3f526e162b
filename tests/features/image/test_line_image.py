"""The stage: columns of ink, their number, their places, and what is odd about an image."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seqpipe import FeatureChain, InputError, LineImage, PaddedSequence
from seqpipe.data.pages.line import PageLine
from seqpipe.features.image import ink_columns

Written = Callable[..., np.ndarray]
CutOut = Callable[[Any], list[str]]


def file_of(brightness: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(brightness).save(stream, "PNG")
    return stream.getvalue()


LINE = PageLine(Path("page.png"), ((0, 9), (99, 9)), ((0, 0), (99, 0), (99, 9)), "3", Path("page.xml"))


@pytest.fixture
def cut_out(monkeypatch: pytest.MonkeyPatch) -> CutOut:
    """``cut_out(array)``: from now on the image of `LINE` is this array; gives the list of what is asked of it."""

    def be(array: Any) -> list[str]:
        asked: list[str] = []

        def crop(line: PageLine) -> Any:
            assert line is LINE
            asked.append("pixels")
            return array

        def crop_size(line: PageLine) -> tuple[int, int]:
            assert line is LINE
            asked.append("size")
            return array.shape[1], array.shape[0]

        monkeypatch.setattr(ink_columns, "crop", crop)
        monkeypatch.setattr(ink_columns, "crop_size", crop_size)
        return asked

    return be


def test_a_step_is_a_column_from_the_top_down() -> None:
    brightness = np.full((10, 30), 255, np.uint8)
    brightness[2, 5] = 0
    prepared = LineImage(height=10).prepare(brightness, None)
    assert (prepared.dtype, prepared.shape) == (torch.uint8, (30, 10))
    assert prepared.nonzero().tolist() == [[5, 2]]
    assert int(prepared[5, 2]) == 255


@settings(deadline=None, max_examples=150)
@given(width=st.integers(1, 400), height=st.integers(1, 150), scaled=st.sampled_from([4, 8, 31, 64, 100]))
def test_the_width_is_known_from_the_header(width: int, height: int, scaled: int) -> None:
    stage = LineImage(height=scaled)
    raw = file_of(np.full((height, width), 255, np.uint8))
    measured = stage.length(raw)
    assert stage.prepare(raw, None).shape == (measured, scaled)
    assert measured >= 1
    assert abs(measured - width * scaled / height) <= 0.5 or measured == 1


def test_measuring_decodes_nothing(tmp_path: Path, written: Written) -> None:
    whole = file_of(written())
    stream = io.BytesIO()
    Image.fromarray(written()).save(stream, "JPEG")
    assert LineImage().length(stream.getvalue()[:600]) == LineImage().length(whole)


@pytest.mark.parametrize("height", [16, 40, 64, 120])
def test_scaling_keeps_the_shape(height: int, written: Written) -> None:
    """Half as large is the same as large, scaled to half by hand."""
    brightness = written(size=80)
    prepared = LineImage(height=height).prepare(brightness, None).float()
    image = Image.fromarray(255 - brightness).resize((len(prepared), height), Image.Resampling.BOX)
    want = torch.from_numpy(np.asarray(image).T.copy()).float()
    assert float((prepared - want).abs().mean()) < 8


def test_the_line_of_a_page_is_what_is_cut_out_of_it(written: Written, cut_out: CutOut) -> None:
    stage = LineImage()
    for array in (written(), np.stack([written()] * 3, axis=2)):
        cut_out(array)
        assert torch.equal(stage.prepare(LINE, None), stage.prepare(written(), None))
        assert stage.length(LINE) == stage.length(written())
    cut_out(np.ones((0, 5)))
    with pytest.raises(InputError, match=r"page\.xml, line 3: has 5 x 0 pixels"):
        stage.prepare(LINE, None)
    cut_out(written())
    with pytest.raises(InputError, match=r"page\.xml, line 3: is \d+ columns wide"):
        LineImage(max_length=10).length(LINE)


def test_the_line_of_a_page_is_measured_and_cut_no_more_than_needed(written: Written, cut_out: CutOut) -> None:
    stage, asked = LineImage(), cut_out(written())
    stage.length(LINE)
    assert asked == ["size"]
    prepared = stage.prepare(LINE, None)
    assert asked == ["size", "pixels"]
    stage.warnings(LINE, prepared)  # its contrast is that of the image itself
    assert asked == ["size", "pixels", "size", "pixels"]


def test_in_a_batch_ink_is_from_0_to_1(written: Written) -> None:
    stage = LineImage(height=20)
    rows = [stage.prepare(written(words), None) for words in ("one", "another one")]
    batch = stage(PaddedSequence.pad(rows))
    assert batch.values.dtype == torch.float32
    assert (float(batch.values.min()), float(batch.values.max())) == (0, 1)
    for row, got in zip(rows, batch.rows(), strict=True):
        assert torch.equal((got * 255).round().to(torch.uint8), row)


def test_amounts_are_columns() -> None:
    chain = FeatureChain(stages=[LineImage.configure()])
    assert chain.measure.name == "pixel"
    assert chain.measure.amount(torch.tensor([30, 12])) == 42
    assert chain.output_size == 64


@pytest.mark.parametrize("size", [15, 40, 90])
def test_places_are_in_pixels_of_the_file(size: int, written: Written, cut_out: CutOut) -> None:
    chain = FeatureChain(stages=[LineImage.configure(height=32)])
    brightness = written(size=size)
    prepared = chain.prepare(file_of(brightness), None)
    steps = torch.tensor([0, len(prepared)], dtype=torch.float64)
    places = chain.locate(prepared, steps) * chain.reader.source(file_of(brightness)).scale
    assert places.tolist() == [0, brightness.shape[1]]
    cut_out(brightness)
    assert chain.reader.source(LINE).scale == chain.reader.source(file_of(brightness)).scale


def test_the_scale_of_a_file_that_is_gone_is_1(tmp_path: Path) -> None:
    assert LineImage().source(tmp_path / "gone.png").scale == 1


def test_a_picture_is_black_on_white(written: Written) -> None:
    brightness = written(size=90)
    for raw in (brightness, 255 - brightness):
        picture = LineImage(height=32).preview(raw)
        assert picture.values.shape == (32, LineImage(height=32).length(raw))
        assert (picture.start, picture.end, picture.unit) == (0, brightness.shape[1], "px")
        assert np.median(picture.values) == 1
        assert picture.values.min() == 0


class TestWarnings:
    def kinds(self, raw: Any, **options: Any) -> list[str]:
        stage = LineImage(**options)
        return [kind for kind, message in stage.warnings(raw, stage.prepare(raw, None)) if message]

    def test_none_of_a_line(self, written: Written) -> None:
        for raw in (written(), 255 - written(), written("I", margin=10), written("word " * 40)):
            assert self.kinds(raw) == []
            assert self.kinds(file_of(raw)) == []

    def test_blank(self) -> None:
        for level in (0, 200, 255):
            assert self.kinds(np.full((64, 300), level, np.uint8)) == ["blank"]

    def test_low_contrast(self, written: Written) -> None:
        assert self.kinds((120 + written() // 20).astype(np.uint8)) == ["low contrast"]
        assert self.kinds((120 + (255 - written()) // 20).astype(np.uint8)) == ["low contrast"]

    def test_mostly_ink(self, written: Written) -> None:
        assert self.kinds(255 - written(), ink="dark") == ["mostly ink"]

    def test_lower_resolution(self, written: Written) -> None:
        small = written(size=9, margin=2)
        assert self.kinds(small, height=64) == ["lower resolution"]
        assert self.kinds(small, height=16) == []

    def test_unusual_shape(self, written: Written) -> None:
        assert self.kinds(written("word " * 200)) == ["unusual shape"]
        assert self.kinds(written().T.copy()) == ["unusual shape"]
        assert self.kinds(np.full((1, 300), 255, np.uint8)) == ["blank", "lower resolution", "unusual shape"]


def test_a_row_of_pixels_and_one_pixel_are_images() -> None:
    draw = np.random.default_rng(0)
    for shape in ((1, 1), (1, 90), (90, 1)):
        for options in ({}, {"background": "local", "slant": True, "skew": True}):
            stage = LineImage(height=8, **options)
            raw = draw.integers(256, size=shape, dtype=np.uint8)
            assert stage.prepare(raw, None).shape == (stage.length(raw), 8)


def test_a_line_of_50000_pixels(written: Written) -> None:
    long = np.tile(written(size=30, margin=4), (1, 200))[:, :50_000]
    stage = LineImage(height=32, background="local", slant=True, skew=True)
    prepared = stage.prepare(file_of(long), None)
    assert len(prepared) == stage.length(file_of(long)) > 40_000
