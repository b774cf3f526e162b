"""Darker and paler ink."""

import pytest
import torch

from seqpipe import ConfigError, InkIntensity, PaddedSequence


@pytest.mark.parametrize(("gamma", "scale"), [(1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (1.0, 0.6), (1.4, 1.5)])
def test_it_is_the_formula(gamma: float, scale: float) -> None:
    rows = [torch.rand(20, 8), torch.rand(9, 8)]
    stage = InkIntensity(input_size=8, probability=1.0, gamma=(gamma, gamma), scale=(scale, scale)).train()
    for row, changed in zip(rows, stage(PaddedSequence.pad(rows)).rows(), strict=True):
        torch.testing.assert_close(changed, (scale * row**gamma).clamp(max=1.0))


def test_paper_stays_paper() -> None:
    stage = InkIntensity(input_size=8, probability=1.0, gamma=(0.3, 3.0), scale=(0.5, 2.0)).train()
    assert float(stage(PaddedSequence.pad([torch.zeros(20, 8)])).values.max()) == 0


def test_a_range_goes_from_low_to_high() -> None:
    with pytest.raises(ConfigError, match=r"InkIntensity\.gamma: goes from low to high; received \(2\.0, 1\.0\)"):
        InkIntensity(input_size=8, gamma=(2.0, 1.0))
