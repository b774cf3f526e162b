"""Vocal tract length perturbation."""

from typing import Any

import pytest
import torch

from seqpipe import MFCC, ConfigError, LogMel, PaddedSequence
from seqpipe.features.speech.augmentation.vocal_tract import warp_hertz, warped_filters
from seqpipe.features.speech.spectrum import mel_filters

RATE = 16_000
STAGES = [LogMel, MFCC]


def test_frequencies_are_those_of_the_paper() -> None:
    hertz = torch.tensor([0.0, 1000.0, 4000.0, 8000.0])
    shorter, longer = warp_hertz(hertz, torch.tensor([1.2, 0.8]), 8000.0)
    # Below the boundary of 4800 Hz (min(1.2, 1) / 1.2 of it) the factor alone; half the sample rate stays.
    torch.testing.assert_close(shorter, torch.tensor([0.0, 1200.0, 4800.0, 8000.0]))
    torch.testing.assert_close(longer, torch.tensor([0.0, 800.0, 3200.0, 8000.0]))


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.1, 1.4])
def test_the_warp_keeps_the_order_of_frequencies(factor: float) -> None:
    warped = warp_hertz(torch.linspace(0, 8000, 500), torch.tensor([factor]), 8000.0)[0]
    assert (warped.diff() > 0).all()


def test_factor_1_is_the_filters_as_they_are() -> None:
    filters = mel_filters(RATE, 512, 40, 20.0, None)
    torch.testing.assert_close(warped_filters(filters, torch.ones(3)), filters.expand(3, -1, -1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_a_tone_is_heard_where_the_warp_takes_it(factor: float, tone: Any) -> None:
    plain = LogMel(sample_rate=RATE).eval()
    warped = LogMel(sample_rate=RATE, vtlp=(factor, factor)).train()
    for hertz in (700.0, 1500.0, 3000.0):
        heard = warped(PaddedSequence.pad([tone(hertz, 0.5, RATE)])).values[0, 10:40].exp().mean(0)
        meant = plain(PaddedSequence.pad([tone(hertz * factor, 0.5, RATE)])).values[0, 10:40].exp().mean(0)
        assert abs(int(heard.argmax()) - int(meant.argmax())) <= 1
        assert int(heard.argmax()) != int(plain(PaddedSequence.pad([tone(hertz, 0.5, RATE)])).values[0, 25].argmax())


@pytest.mark.parametrize("stage", STAGES)
class TestInFeatures:
    def test_rows_are_warped_differently_and_torchs_seed_decides(self, stage: Any, noisy: Any) -> None:
        features = stage(sample_rate=RATE, vtlp=(0.8, 1.2)).train()
        batch = PaddedSequence.pad([noisy(4000)] * 2)
        results = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            results.append(features(batch).values)
        assert torch.equal(results[0], results[1])
        assert not torch.equal(results[0], results[2])
        assert not torch.equal(results[0][0], results[0][1])

    def test_evaluation_warps_nothing(self, stage: Any, noisy: Any) -> None:
        batch = PaddedSequence.pad([noisy(4000)])
        warping, plain = stage(sample_rate=RATE, vtlp=(0.8, 1.2)), stage(sample_rate=RATE)
        assert torch.equal(warping.eval()(batch).values, plain.eval()(batch).values)
        assert not torch.equal(warping.train()(batch).values, plain.eval()(batch).values)

    def test_no_random_number_is_drawn_without_it(self, stage: Any, noisy: Any) -> None:
        torch.manual_seed(1)
        before = torch.get_rng_state()
        stage(sample_rate=RATE).train()(PaddedSequence.pad([noisy(4000)]))
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_range_goes_from_low_to_high(self, stage: Any) -> None:
        with pytest.raises(ConfigError, match=rf"{stage.__name__}\.vtlp: goes from low to high; received \(1\.2, 0\.9"):
            stage(sample_rate=RATE, vtlp=(1.2, 0.9))
        with pytest.raises(ConfigError, match="vtlp"):
            stage(sample_rate=RATE, vtlp=(0.1, 0.9))
