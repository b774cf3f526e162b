import pytest
import torch
from torchaudio.functional import resample

from seqpipe.features.speech.augmentation.resampling import resample_by_ratio


@pytest.mark.parametrize("length", [1, 2, 57, 1000, 31999])
@pytest.mark.parametrize("rate", [50, 85, 88, 93, 99, 101, 110, 115, 200])
def test_equals_torchaudio(rate: int, length: int) -> None:
    samples = torch.rand(length, generator=torch.Generator().manual_seed(rate)) * 2 - 1
    ours = resample_by_ratio(samples, rate, 100)
    assert len(ours) == -(-length * 100 // rate)
    # In fp64: torchaudio makes its filter in the precision of the samples, which in fp32 is off by up to 1e-5 itself.
    torch.testing.assert_close(ours, resample(samples.double(), rate, 100).float(), atol=2e-6, rtol=0)


def test_equal_rates_change_nothing() -> None:
    samples = torch.rand(10)
    assert torch.equal(resample_by_ratio(samples, 100, 100), samples)
    assert torch.equal(resample_by_ratio(samples, 3, 3), samples)


def test_a_tone_keeps_its_shape_and_changes_its_pitch() -> None:
    time = torch.arange(16000, dtype=torch.float64) / 16000
    faster = resample_by_ratio(torch.sin(2 * torch.pi * 440 * time).float(), 110, 100)
    expected = torch.sin(2 * torch.pi * 484 * time[: len(faster)]).float()
    torch.testing.assert_close(faster[50:-50], expected[50:-50], atol=2e-3, rtol=0)
