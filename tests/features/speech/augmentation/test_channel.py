"""Other microphones and other rooms."""

from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch

from seqpipe import Equalization, Reverberation, RowKey

RATE = 8000


def gain_db(stage: Equalization, row: torch.Tensor, key: RowKey) -> np.ndarray[Any, Any]:
    """Gain of the stage at each of 1 + S / 2 frequencies."""
    before, after = (np.abs(np.fft.rfft(samples.numpy())) for samples in (row, stage.prepare(row, key)))
    return np.asarray(20 * np.log10(after / before))


def click(samples: int) -> torch.Tensor:
    """Every frequency alike, far from both ends."""
    row = torch.zeros(samples)
    row[samples // 2] = 1.0
    return row


class TestEqualization:
    @pytest.mark.parametrize("tilt", [-4.0, 2.5])
    def test_the_tilt_is_decibels_an_octave(self, tilt: float) -> None:
        stage = Equalization(sample_rate=RATE, tilt_db=(tilt, tilt), band_db=0.0, probability=1.0)
        gain = gain_db(stage, click(RATE), RowKey(1, 0, 0))  # bins of 1 Hz
        for hertz in (200, 500, 1000, 1900):
            assert gain[2 * hertz] - gain[hertz] == pytest.approx(tilt, abs=0.1)

    def test_bands_have_the_deviation_asked_for(self) -> None:
        stage = Equalization(sample_rate=RATE, tilt_db=(0.0, 0.0), band_db=4.0, bands=2, probability=1.0)
        # With two bands the gain is a straight line over octaves, from 60 Hz to half the sample rate.
        ends = [gain_db(stage, click(RATE), RowKey(1, 0, row))[[60, 3999]] for row in range(300)]
        difference = np.std([high - low for low, high in ends])
        assert difference == pytest.approx(4.0 * 2**0.5, rel=0.15)

    def test_no_tilt_and_no_bands_change_nothing(self, noisy: Any) -> None:
        stage = Equalization(sample_rate=RATE, tilt_db=(0.0, 0.0), band_db=0.0, probability=1.0)
        torch.testing.assert_close(stage.prepare(noisy(3000), RowKey(1, 0, 0)), noisy(3000))

    def test_power_and_place_stay(self, noisy: Any) -> None:
        stage = Equalization(sample_rate=RATE, probability=1.0)
        for row in range(20):
            coloured = stage.prepare(noisy(3000), RowKey(1, 0, row))
            assert float(coloured.square().mean()) == pytest.approx(float(noisy(3000).square().mean()), rel=1e-4)
            assert int(stage.prepare(click(999), RowKey(1, 0, row)).abs().argmax()) == 999 // 2

    def test_the_end_does_not_come_round_to_the_start(self) -> None:
        row = torch.zeros(4096)
        row[-40:] = torch.randn(40, generator=torch.Generator().manual_seed(0))
        coloured = Equalization(sample_rate=RATE, probability=1.0).prepare(row, RowKey(1, 0, 0))
        assert float(coloured[:2000].abs().max()) < 1e-3 * float(coloured.abs().max())


class TestReverberation:
    def test_it_is_a_convolution_with_the_drawn_response(self, noisy: Any) -> None:
        stage = Reverberation(sample_rate=RATE, probability=1.0)
        for row in range(5):
            key = RowKey(1, 0, row)
            generator = key.generator()
            generator.random()  # whether at all
            response = stage.response(generator)
            expected = scipy.signal.convolve(noisy(3000).numpy(), response, method="direct")[:3000]
            expected *= float(noisy(3000).square().mean()) ** 0.5 / np.square(expected).mean() ** 0.5
            np.testing.assert_allclose(stage.prepare(noisy(3000), key).numpy(), expected, atol=1e-5)

    @pytest.mark.parametrize("ratio", [-3.0, 6.0])
    def test_the_response_has_the_ratio_and_the_time_asked_for(self, ratio: float) -> None:
        stage = Reverberation(sample_rate=RATE, rt60_seconds=(0.5, 0.5), direct_db=(ratio, ratio))
        responses = [stage.response(np.random.default_rng(number)) for number in range(40)]
        for response in responses:
            assert response[0] == 1.0
            assert 10 * np.log10(1 / np.square(response[1:]).sum()) == pytest.approx(ratio, abs=0.01)
        energy = np.mean([np.square(response[stage.delay :]) for response in responses], axis=0)
        level = 10 * np.log10(energy.reshape(20, -1).mean(axis=1))  # 25 ms each
        slope = np.polyfit(0.025 * np.arange(20), level, 1)[0]
        assert slope == pytest.approx(-60 / 0.5, rel=0.03), "60 dB in the reverberation time"

    def test_nothing_is_heard_before_the_direct_sound(self) -> None:
        wet = Reverberation(sample_rate=RATE, delay_seconds=0.01, probability=1.0).prepare(click(2000), RowKey(1, 0, 0))
        assert float(wet[:999].abs().max()) < 1e-5
        assert float(wet[1001:1079].abs().max()) < 1e-5
        assert float(wet[1080:].abs().max()) > 1e-3

    def test_power_stays(self, noisy: Any) -> None:
        wet = Reverberation(sample_rate=RATE, probability=1.0).prepare(noisy(3000), RowKey(1, 0, 0))
        assert float(wet.square().mean()) == pytest.approx(float(noisy(3000).square().mean()), rel=1e-4)
