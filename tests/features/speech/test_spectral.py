"""Log-mel spectra and MFCCs against librosa."""

from typing import Any

import librosa
import numpy as np
import pytest
import torch

from seqpipe import MFCC, ConfigError, LogMel, PaddedSequence

RATE = 8000
LENGTHS = [1, 2, 79, 80, 81, 199, 200, 1000, 7777]  # window 200, hop 80


def alone(stage: Any, samples: torch.Tensor) -> np.ndarray:
    return stage(PaddedSequence.pad([samples])).rows()[0].numpy()


def librosa_mel(samples: torch.Tensor, stage: Any, n_mels: int, low: float, high: float | None = None) -> np.ndarray:
    mel: np.ndarray = librosa.feature.melspectrogram(
        y=samples.numpy(),
        sr=RATE,
        n_fft=stage.n_fft,
        hop_length=stage.hop_length,
        win_length=200,
        n_mels=n_mels,
        fmin=low,
        fmax=high,
        pad_mode="constant",
    )
    return mel


@pytest.mark.filterwarnings("ignore:n_fft=")  # librosa, of short rows
@pytest.mark.parametrize("length", LENGTHS)
def test_log_mel_equals_librosa(length: int, noisy: Any) -> None:
    samples = noisy(length)
    stage = LogMel(sample_rate=RATE, n_mels=20, floor=1e-6)
    expected = np.log(np.maximum(librosa_mel(samples, stage, 20, 20.0), 1e-6)).T
    got = alone(stage, samples)
    assert got.shape == (1 + length // 80, 20)
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.0, None), (100.0, 3000.0)])
def test_the_band_edges_are_those_asked_for(low: float, high: float | None, noisy: Any) -> None:
    stage = LogMel(sample_rate=RATE, n_mels=20, low_hertz=low, high_hertz=high)
    expected = np.log(np.maximum(librosa_mel(noisy(3000), stage, 20, low, high), 1e-6)).T
    np.testing.assert_allclose(alone(stage, noisy(3000)), expected, atol=1e-4)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 2500.0])
def test_a_tone_is_loudest_in_its_band_and_silence_is_the_floor(hertz: float, tone: Any) -> None:
    stage = LogMel(sample_rate=RATE, n_mels=24, floor=1e-4)
    centres = librosa.mel_frequencies(26, fmin=20.0, fmax=RATE / 2)[1:-1]
    middle = alone(stage, tone(hertz, 0.5, RATE))[25]
    assert abs(int(middle.argmax()) - int(np.abs(centres - hertz).argmin())) <= 1
    np.testing.assert_allclose(alone(stage, torch.zeros(500)), np.log(1e-4), atol=1e-5)


@pytest.mark.filterwarnings("ignore:n_fft=")
@pytest.mark.parametrize("top_db", [80.0, 10.0, None])
@pytest.mark.parametrize("length", LENGTHS)
def test_mfcc_equals_librosa(length: int, top_db: float | None, noisy: Any) -> None:
    samples = noisy(length)
    stage = MFCC(sample_rate=RATE, n_mfcc=13, n_mels=30, deltas=0, top_db=top_db)
    decibel = librosa.power_to_db(librosa_mel(samples, stage, 30, 0.0), top_db=top_db)
    expected = librosa.feature.mfcc(S=decibel, n_mfcc=13).T
    np.testing.assert_allclose(alone(stage, samples), expected, atol=2e-4)  # of values up to some hundreds


def test_mfcc_of_samples_is_librosas_own(tone: Any) -> None:
    samples = tone(440.0, 0.3, RATE)
    stage = MFCC(sample_rate=RATE, n_mfcc=13, n_mels=30, deltas=0)
    expected = librosa.feature.mfcc(
        y=samples.numpy(), sr=RATE, n_mfcc=13, n_mels=30, n_fft=256, win_length=200, hop_length=80, pad_mode="constant"
    ).T
    np.testing.assert_allclose(alone(stage, samples), expected, atol=1e-3)  # bands 80 dB below the tone


def test_top_db_counts_from_the_loudest_of_the_row(noisy: Any) -> None:
    """torchaudio's counts from the loudest of the batch: a quiet row beside a loud one changed by hundreds."""
    stage = MFCC(sample_rate=RATE, top_db=10.0)
    quiet, loud = 1e-3 * noisy(2000), 10.0 * noisy(1500)
    together = stage(PaddedSequence.pad([quiet, loud])).rows()[0].numpy()
    np.testing.assert_allclose(together, alone(stage, quiet), atol=1e-3)
    unlimited = alone(MFCC(sample_rate=RATE, top_db=None), quiet)
    assert np.abs(together - unlimited).max() > 1.0, "the limit does something to this row"


def test_deltas_stand_beside_the_coefficients(noisy: Any) -> None:
    plain = alone(MFCC(sample_rate=RATE, deltas=0), noisy(2000))
    both = alone(MFCC(sample_rate=RATE, deltas=2), noisy(2000))
    assert both.shape == (26, 39)
    np.testing.assert_array_equal(both[:, :13], plain)


@pytest.mark.parametrize("kind", [LogMel, MFCC])
def test_frames_are_centred_on_multiples_of_the_hop(kind: Any) -> None:
    """A click is loudest in the frame that `locate` puts it into."""
    stage = kind(sample_rate=RATE, **({"deltas": 0} if kind is MFCC else {}))
    for frame in (0, 7, 12):
        samples = torch.zeros(1600)
        samples[80 * frame] = 0.9
        loudness = alone(stage, samples)
        loudest = int((loudness[:, 0] if kind is MFCC else loudness.mean(axis=1)).argmax())
        assert float(stage.locate(samples, torch.tensor(loudest))) == 80 * frame


@pytest.mark.parametrize("kind", [LogMel, MFCC])
def test_full_precision_is_kept_under_autocast(kind: Any, noisy: Any) -> None:
    stage = kind(sample_rate=RATE)
    with torch.autocast("cpu", torch.bfloat16):
        within = alone(stage, noisy(2000))
    np.testing.assert_array_equal(within, alone(stage, noisy(2000)))


@pytest.mark.parametrize("kind", [LogMel, MFCC])
@pytest.mark.parametrize(("low", "high"), [(20.0, 4001.0), (500.0, 500.0), (4000.0, None)])
def test_bands_lie_below_half_the_sample_rate(kind: Any, low: float, high: float | None) -> None:
    with pytest.raises(ConfigError, match=r"low_hertz = .* high_hertz = .* half the sample rate, 4000 Hz"):
        kind(sample_rate=RATE, low_hertz=low, high_hertz=high)


@pytest.mark.filterwarnings("ignore:At least one mel filterbank")
@pytest.mark.parametrize("kind", [LogMel, MFCC])
@pytest.mark.parametrize("key", ["hop_seconds", "window_seconds"])
def test_a_frame_is_at_least_a_millisecond(kind: Any, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} .*greater than or equal to 0\.001"):
        kind(sample_rate=RATE, **{key: 1e-5})
    assert kind(sample_rate=1000, high_hertz=400, **{key: 0.001}).output_size > 0


def test_there_are_no_more_coefficients_than_bands() -> None:
    with pytest.raises(ConfigError, match=r"MFCC\.n_mfcc: 41 coefficients .* n_mels = 40"):
        MFCC(sample_rate=RATE, n_mfcc=41)
