"""Tempo without pitch, and pitch without tempo."""

from typing import Any

import numpy as np
import pytest
import torch

from seqpipe import PitchShift, RowKey, TempoPerturbation
from seqpipe.features.speech.augmentation.time_scale import time_scaled

RATE = 8000
DRAW = RowKey(1, 0, 0)


def loudest_hertz(samples: torch.Tensor, rate: int = RATE) -> float:
    windowed = samples.numpy() * np.hanning(len(samples))
    return float(np.abs(np.fft.rfft(windowed, 8 * rate)).argmax()) / 8


def power(samples: torch.Tensor) -> float:
    return float(samples.square().mean())


@pytest.mark.parametrize("rate", [8000, 16_000])
@pytest.mark.parametrize("factor", [0.6, 0.9, 1.3, 1.8])
@pytest.mark.parametrize("hertz", [110.0, 440.0, 2000.0])
def test_a_tone_keeps_its_pitch_and_power_at_any_tempo(factor: float, hertz: float, rate: int, tone: Any) -> None:
    row = tone(hertz, 0.6, rate)
    scaled = time_scaled(row, round(len(row) / factor), rate)
    assert len(scaled) == round(len(row) / factor)
    assert loudest_hertz(scaled, rate) == pytest.approx(hertz, rel=0.01)
    assert power(scaled) == pytest.approx(power(row), rel=0.1)


def test_the_length_as_it_is_changes_nothing(noisy: Any) -> None:
    row = noisy(1001)
    assert time_scaled(row, 1001, RATE) is row


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_what_is_said_comes_at_its_time(factor: float, tone: Any) -> None:
    """Two tones one after the other: the second begins where the tempo puts it."""
    row = torch.cat([tone(300.0, 0.4, RATE), tone(1200.0, 0.6, RATE)])
    scaled = TempoPerturbation(sample_rate=RATE, factors=(factor, factor), probability=1.0).prepare(row, DRAW)
    change = round(0.4 * RATE / factor)
    margin = round(0.02 * RATE)
    assert loudest_hertz(scaled[: change - margin]) == pytest.approx(300.0, rel=0.02)
    assert loudest_hertz(scaled[change + margin :]) == pytest.approx(1200.0, rel=0.02)


@pytest.mark.parametrize("semitones", [-7.0, -2.0, 3.0, 12.0])
def test_a_tone_moves_by_the_drawn_interval(semitones: float, tone: Any) -> None:
    row = tone(300.0, 0.6, RATE)
    shifted = PitchShift(sample_rate=RATE, semitones=(semitones, semitones), probability=1.0).prepare(row, DRAW)
    assert len(shifted) == len(row)
    assert loudest_hertz(shifted) == pytest.approx(300.0 * 2 ** (semitones / 12), rel=0.01)
    assert power(shifted) == pytest.approx(power(row), rel=0.15)


def test_tempi_fill_the_range() -> None:
    stage = TempoPerturbation(sample_rate=RATE, factors=(0.8, 1.25), probability=1.0)
    lengths = [stage.augmented_length(1000, RowKey(1, 0, row)) for row in range(400)]
    assert 800 <= min(lengths) < 815
    assert 1225 < max(lengths) <= 1250
    assert stage.min_length(1000) == 800


def test_a_range_above_1_shortens_only_what_it_changes() -> None:
    slower = TempoPerturbation(sample_rate=RATE, factors=(0.5, 0.8), probability=0.5)
    assert slower.min_length(1000) == 1000, "an utterance that is left alone is the shortest"
    assert TempoPerturbation(sample_rate=RATE, factors=(0.5, 2.0), probability=0.0).min_length(1000) == 1000
