"""Noise in line images."""

from typing import Any

import pytest
import torch

from seqpipe import ConfigError, ImageNoise, PaddedSequence

NONE: dict[str, Any] = {"gaussian": (0.0, 0.0), "speckle": (0.0, 0.0), "salt_and_pepper": (0.0, 0.0)}


def noisy(row: torch.Tensor, **options: Any) -> torch.Tensor:
    torch.manual_seed(1)
    stage = ImageNoise(input_size=row.shape[1], probability=1.0, **NONE | options).train()
    return stage(PaddedSequence.pad([row])).rows()[0]


def test_gaussian_noise_has_the_standard_deviation_that_it_should() -> None:
    noise = noisy(torch.full((500, 32), 0.5), gaussian=(0.05, 0.05)) - 0.5
    assert float(noise.std()) == pytest.approx(0.05, rel=0.05)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.002)


def test_speckle_grows_with_the_ink_and_spares_the_paper() -> None:
    for ink in (0.0, 0.25, 0.5):
        noise = noisy(torch.full((500, 32), ink), speckle=(0.2, 0.2)) - ink
        assert float(noise.std()) == pytest.approx(0.2 * ink, rel=0.05)


def test_salt_and_pepper_fall_on_a_share_of_the_pixels() -> None:
    dirty = noisy(torch.full((500, 32), 0.5), salt_and_pepper=(0.1, 0.1))
    assert set(dirty.unique().tolist()) == {0.0, 0.5, 1.0}
    for colour in (0.0, 1.0):  # some pixels are hit twice
        assert float((dirty == colour).float().mean()) == pytest.approx(0.05, abs=0.008)


def test_strengths_are_drawn_from_the_whole_range() -> None:
    torch.manual_seed(0)
    stage = ImageNoise(input_size=16, probability=1.0, **NONE | {"gaussian": (0.02, 0.1)}).train()
    rows = stage(PaddedSequence.pad([torch.full((60, 16), 0.5)] * 60)).rows()
    strengths = [float(row.std()) for row in rows]
    assert min(strengths) < 0.03
    assert max(strengths) > 0.09


def test_no_strength_changes_nothing() -> None:
    row = torch.rand(30, 8)
    assert torch.equal(noisy(row), row)


def test_a_range_goes_from_low_to_high() -> None:
    with pytest.raises(ConfigError, match=r"ImageNoise\.gaussian: goes from low to high; received \(0\.2, 0\.1\)"):
        ImageNoise(input_size=8, gaussian=(0.2, 0.1))
