import numpy as np
import pytest
import torch
import torchaudio

from seqpipe.features.speech.resampling import resample_by_ratio
from seqpipe.features.speech.sinc import interpolate, resample, resampled_length


def by_torchaudio(samples: torch.Tensor, rate: int, new_rate: int) -> torch.Tensor:
    """In fp64: torchaudio makes its filter in the precision of the samples, which in fp32 is off by up to 1e-4."""
    return torchaudio.functional.resample(samples.double(), rate, new_rate).float()


@pytest.mark.parametrize("length", [1, 2, 57, 1000, 31999])
@pytest.mark.parametrize("rate", [50, 85, 88, 93, 99, 101, 110, 115, 200])
def test_equals_torchaudio(rate: int, length: int) -> None:
    samples = torch.rand(length, generator=torch.Generator().manual_seed(rate)) * 2 - 1
    ours = resample_by_ratio(samples, rate, 100)
    assert len(ours) == -(-length * 100 // rate)
    torch.testing.assert_close(ours, by_torchaudio(samples, rate, 100)[: len(ours)], atol=2e-6, rtol=0)
    np.testing.assert_allclose(resample(samples.numpy(), rate, 100), ours.numpy(), atol=2e-6, rtol=0)


def test_equal_rates_change_nothing() -> None:
    samples = torch.rand(10)
    assert torch.equal(resample_by_ratio(samples, 100, 100), samples)
    assert torch.equal(resample_by_ratio(samples, 3, 3), samples)


def test_a_tone_keeps_its_shape_and_changes_its_pitch() -> None:
    time = torch.arange(16000, dtype=torch.float64) / 16000
    faster = resample_by_ratio(torch.sin(2 * torch.pi * 440 * time).float(), 110, 100)
    expected = torch.sin(2 * torch.pi * 484 * time[: len(faster)]).float()
    torch.testing.assert_close(faster[50:-50], expected[50:-50], atol=2e-3, rtol=0)


@pytest.mark.parametrize(("rate", "new_rate"), [(97, 89), (89, 97), (441, 160), (160, 441), (1, 7), (7, 1), (3, 2)])
@pytest.mark.parametrize("length", [1, 2, 3000])
def test_weights_that_are_computed_anew_are_those_that_are_kept(rate: int, new_rate: int, length: int) -> None:
    samples = torch.randn(length, generator=torch.Generator().manual_seed(length))
    ours = torch.from_numpy(interpolate(samples.numpy(), rate, new_rate))
    assert len(ours) == resampled_length(length, rate, new_rate)
    torch.testing.assert_close(ours, resample_by_ratio(samples, rate, new_rate), atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(ours, by_torchaudio(samples, rate, new_rate), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(("rate", "new_rate"), [(7_999, 16_000), (15_999, 16_000), (44_056, 16_000), (767_999, 16_000)])
def test_rates_without_a_common_factor(rate: int, new_rate: int) -> None:
    """Of which torchaudio 2.11 keeps up to twelve thousand million weights."""
    time = torch.arange(rate // 2, dtype=torch.float64) / rate
    resampled = torch.from_numpy(resample(torch.sin(2 * torch.pi * 440 * time).float().numpy(), rate, new_rate))
    assert len(resampled) == resampled_length(rate // 2, rate, new_rate)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(len(resampled), dtype=torch.float64) / new_rate).float()
    torch.testing.assert_close(resampled[100:-100], expected[100:-100], atol=2e-3, rtol=0)
