"""Gaussian blur of line images."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from seqpipe import ConfigError, ImageBlur, PaddedSequence


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.3])
def test_it_is_scipys_gaussian_filter(sigma: float) -> None:
    rows = [torch.rand(length, 16, generator=torch.Generator().manual_seed(length)) for length in (50, 30, 1)]
    stage = ImageBlur(input_size=16, probability=1.0, sigma=(sigma, sigma)).train()
    for row, blurred in zip(rows, stage(PaddedSequence.pad(rows)).rows(), strict=True):
        want = scipy.ndimage.gaussian_filter(
            row.double().numpy(), sigma, mode="constant", radius=int(np.ceil(3 * sigma))
        )
        np.testing.assert_allclose(blurred.numpy(), want, atol=1e-6)


def test_no_strength_changes_nothing() -> None:
    batch = PaddedSequence.pad([torch.rand(20, 8), torch.rand(11, 8)])
    assert torch.equal(ImageBlur(input_size=8, probability=1.0, sigma=(0.0, 0.0)).train()(batch).values, batch.values)
    barely = ImageBlur(input_size=8, probability=1.0, sigma=(0.0, 0.01)).train()(batch)
    torch.testing.assert_close(barely.values, batch.values, atol=1e-6, rtol=0)


def test_a_range_goes_from_low_to_high() -> None:
    with pytest.raises(ConfigError, match=r"ImageBlur\.sigma: goes from low to high; received \(2\.0, 1\.0\)"):
        ImageBlur(input_size=8, sigma=(2.0, 1.0))
