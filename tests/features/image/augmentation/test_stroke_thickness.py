"""Dilation and erosion of line images."""

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch

from seqpipe import ConfigError, PaddedSequence, StrokeThickness
from seqpipe.features.image.augmentation import stroke_thickness

CROSS = scipy.ndimage.generate_binary_structure(2, 1)


def test_the_darkest_neighbour_is_scipys_dilation() -> None:
    rows = torch.rand(2, 30, 12, generator=torch.Generator().manual_seed(1))
    for row, grown in zip(rows, stroke_thickness.darkest_neighbours(rows), strict=True):
        want = scipy.ndimage.grey_dilation(row.numpy(), footprint=CROSS, mode="constant", cval=0.0)
        np.testing.assert_array_equal(grown.numpy(), want)


@pytest.mark.parametrize("strength", [-2.0, -1.5, -1.0, -0.25, 0.0, 0.6, 1.0, 1.75])
def test_strengths_are_pixels_and_fractions_are_blends(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    row = torch.rand(40, 16, generator=torch.Generator().manual_seed(2))
    batch = PaddedSequence.pad([row, torch.rand(55, 16)])
    stage = StrokeThickness(input_size=16, probability=1.0, thinning=2.0, thickening=2.0).train()
    monkeypatch.setattr(stroke_thickness, "drawn_column", lambda *given: torch.full((2, 1, 1), strength))
    morph: Any = scipy.ndimage.grey_erosion if strength < 0 else scipy.ndimage.grey_dilation
    want, left = row.numpy(), abs(strength)
    while left > 0:
        changed = morph(want, footprint=CROSS, mode="constant", cval=0.0)
        want = want + min(left, 1.0) * (changed - want)
        left -= 1
    np.testing.assert_allclose(stage(batch).rows()[0].numpy(), want, atol=1e-6)


def test_strokes_grow_or_shrink_and_both_occur() -> None:
    stroke = torch.zeros(30, 16)
    stroke[10:14] = 1.0
    torch.manual_seed(0)
    for thinning, thickening, signs in ((0.0, 1.0, {1}), (1.0, 0.0, {-1}), (1.0, 1.0, {-1, 1})):
        stage = StrokeThickness(input_size=16, probability=1.0, thinning=thinning, thickening=thickening).train()
        ink = [float(row.sum()) for row in stage(PaddedSequence.pad([stroke] * 50)).rows()]
        assert {1 if found > float(stroke.sum()) else -1 for found in ink} == signs


def test_no_strength_changes_nothing() -> None:
    batch = PaddedSequence.pad([torch.rand(20, 8), torch.rand(11, 8)])
    stage = StrokeThickness(input_size=8, probability=1.0, thinning=0.0, thickening=0.0).train()
    assert torch.equal(stage(batch).values, batch.values)


def test_a_pen_has_no_negative_width() -> None:
    with pytest.raises(ConfigError, match="thinning"):
        StrokeThickness(input_size=8, thinning=-1.0)
