"""What every augmentation of waveforms has in common, and what each does."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from seqpipe import (
    AddNoise,
    AddSilence,
    ConfigError,
    Equalization,
    FeatureChain,
    Gain,
    PaddedSequence,
    PitchShift,
    Reverberation,
    RowKey,
    SpeedPerturbation,
    TempoPerturbation,
    Waveform,
)
from seqpipe.core.stage import Stage

RATE = 8000
STAGES: dict[str, Any] = {
    "SpeedPerturbation": lambda: SpeedPerturbation(sample_rate=RATE, factors=[0.8 + 0.01 * step for step in range(41)]),
    "AddNoise": lambda: AddNoise(sample_rate=RATE, probability=1.0),
    "Gain": lambda: Gain(sample_rate=RATE),
    "AddSilence": lambda: AddSilence(sample_rate=RATE, probability=1.0),
    "TempoPerturbation": lambda: TempoPerturbation(sample_rate=RATE, probability=1.0),
    "PitchShift": lambda: PitchShift(sample_rate=RATE, probability=1.0),
    "Equalization": lambda: Equalization(sample_rate=RATE, probability=1.0),
    "Reverberation": lambda: Reverberation(sample_rate=RATE, probability=1.0),
}
# Options with which no draw leaves an utterance as it is.
SOMETIMES: dict[str, Any] = {
    "AddNoise": AddNoise,
    "Gain": Gain,
    "AddSilence": AddSilence,
    "TempoPerturbation": partial(TempoPerturbation, factors=(0.6, 0.8)),
    "PitchShift": partial(PitchShift, semitones=(3.0, 5.0)),
    "Equalization": Equalization,
    "Reverberation": Reverberation,
}


def draws(count: int = 200) -> list[RowKey]:
    return [RowKey(seed=3, epoch=1, row=row) for row in range(count)]


def decibel(ratio: float) -> float:
    return 10 * math.log10(ratio)


def same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.shape == second.shape and torch.equal(first, second)


@pytest.mark.parametrize("name", STAGES)
class TestEveryAugmentation:
    def test_a_draw_decides(self, name: str, noisy: Any) -> None:
        row = noisy(2000)
        first = STAGES[name]().prepare(row, RowKey(3, 1, 7))
        assert same(first, STAGES[name]().prepare(row, RowKey(3, 1, 7)))
        for other in (RowKey(4, 1, 7), RowKey(3, 2, 7), RowKey(3, 1, 8), RowKey(3, 1, 7).child("other")):
            assert not same(first, STAGES[name]().prepare(row, other))

    def test_what_happened_before_changes_nothing(self, name: str, noisy: Any) -> None:
        stage, row = STAGES[name](), noisy(2000)
        first = stage.prepare(row, RowKey(3, 1, 7))
        for key in draws(3):
            stage.prepare(row, key)
        assert same(stage.prepare(row, RowKey(3, 1, 7)), first)

    def test_evaluation_changes_nothing(self, name: str, noisy: Any) -> None:
        stage, row = STAGES[name](), noisy(2000)
        assert stage.prepare(row, None) is row
        assert torch.equal(stage(PaddedSequence.pad([row])).values[0], row)

    def test_the_input_is_left_alone(self, name: str, noisy: Any) -> None:
        row = noisy(2000)
        kept = row.clone()
        STAGES[name]().prepare(row, RowKey(3, 1, 7))
        assert torch.equal(row, kept)

    @pytest.mark.parametrize("length", [1, 2, 79, 1001])
    def test_lengths_are_known_before(self, name: str, length: int, noisy: Any) -> None:
        stage: Stage = STAGES[name]()
        for key in draws(60):
            got = len(stage.prepare(noisy(length), key))
            assert stage.augmented_length(length, key) == got >= stage.min_length(length) >= 1

    def test_short_rows_stay_finite(self, name: str) -> None:
        for row in (torch.tensor([0.5]), torch.zeros(100)):
            assert STAGES[name]().prepare(row, RowKey(3, 1, 7)).isfinite().all()


@pytest.mark.parametrize("name", SOMETIMES)
def test_probability(name: str, noisy: Any) -> None:
    row = noisy(50)
    for probability in (0.0, 0.3, 1.0):
        stage = SOMETIMES[name](sample_rate=RATE, probability=probability)
        changed = [not same(stage.prepare(row, key), row) for key in draws(400)]
        assert float(np.mean(changed)) == pytest.approx(probability, abs=0.08 * (0 < probability < 1))


@pytest.mark.parametrize(
    ("stage", "options"),
    [
        (TempoPerturbation, {"factors": (1.2, 0.9)}),
        (AddSilence, {"seconds": (0.3, 0.1)}),
        (AddSilence, {"seconds": (-0.1, 0.1)}),
        (PitchShift, {"semitones": (1.0, -1.0)}),
        (Equalization, {"tilt_db": (3.0, -3.0)}),
        (Reverberation, {"rt60_seconds": (0.5, 0.1)}),
        (Reverberation, {"direct_db": (10.0, 0.0)}),
        (TempoPerturbation, {"factors": (0.4, 1.0)}),
        (PitchShift, {"semitones": (0.0, 13.0)}),
        (Equalization, {"band_db": -1.0}),
        (Reverberation, {"rt60_seconds": (0.0, 0.1)}),
        (Reverberation, {"probability": 1.5}),
    ],
)
def test_a_range_that_can_t_be_meant_is_named(stage: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        stage(sample_rate=RATE, **options)


def test_stages_of_a_chain_draw_apart_and_lengths_add_up(noisy: Any) -> None:
    twice = {"stage": "SpeedPerturbation", "factors": [0.9, 1.0, 1.1]}
    chain: Any = FeatureChain(stages=[{"stage": "Waveform", "sample_rate": RATE}, twice, twice, "Gain"])
    raw = {"array": noisy(4000).numpy(), "sampling_rate": RATE}
    lengths = set()
    for key in draws():
        prepared = chain.prepare(raw, key)
        assert len(prepared) == chain.augmented_length(chain.length(raw), key) >= chain.min_length(4000)
        lengths.add(len(prepared))
    assert len(lengths) >= 6, "of two independent draws of three factors, six products differ"
    assert min(lengths) == chain.min_length(4000)


class TestSpeedPerturbation:
    @pytest.mark.parametrize("factor", [0.9, 1.1])
    def test_pitch_moves_with_the_speed(self, factor: float, tone: Any) -> None:
        faster = SpeedPerturbation(sample_rate=RATE, factors=[factor]).prepare(tone(200.0, 1.0, RATE), RowKey(1, 0, 0))
        assert len(faster) == math.ceil(RATE / factor)
        spectrum = np.abs(np.fft.rfft(faster.numpy(), n=8 * RATE))
        assert float(spectrum.argmax()) / 8 == pytest.approx(200.0 * factor, abs=0.5)

    def test_all_factors_are_drawn_equally(self, noisy: Any) -> None:
        stage = SpeedPerturbation(sample_rate=RATE, factors=[0.5, 1.0, 2.0])
        lengths = [stage.augmented_length(1000, key) for key in draws(900)]
        for length in (2000, 1000, 500):
            assert lengths.count(length) == pytest.approx(300, abs=60)

    def test_the_drawn_length_is_exact_for_rows_of_minutes(self) -> None:
        stage = SpeedPerturbation(sample_rate=RATE, factors=[1.1])
        length = 2_420_010  # ceil(length / 1.1) can't be told from length / 1.1 in fp32
        assert len(stage.prepare(torch.zeros(length), RowKey(1, 0, 0))) == stage.augmented_length(
            length, RowKey(1, 0, 0)
        )

    def test_factors_have_a_range(self) -> None:
        for factors in ([0.4], [1.0, 2.5], []):
            with pytest.raises(ConfigError, match="factors"):
                SpeedPerturbation(sample_rate=RATE, factors=factors)


class TestAddSilence:
    def test_silence_of_the_drawn_lengths_at_both_ends(self) -> None:
        stage, row = AddSilence(sample_rate=RATE, seconds=(0.01, 0.1), probability=1.0), torch.ones(50)
        for key in draws(60):
            places = stage.prepare(row, key).nonzero().flatten()
            before, after = int(places[0]), stage.augmented_length(50, key) - int(places[-1]) - 1
            assert len(places) == 50
            assert min(before, after) >= 80
            assert max(before, after) <= 800
            assert before != after


class TestGain:
    def test_gains_fill_the_range(self, noisy: Any) -> None:
        stage, row = Gain(sample_rate=RATE, db=(-10.0, 6.0)), noisy(500)
        gains = []
        for key in draws():
            scaled = stage.prepare(row, key)
            ratio = float(scaled.square().mean() / row.square().mean())
            torch.testing.assert_close(scaled, row * ratio**0.5)
            gains.append(decibel(ratio))
        assert -10.01 <= min(gains) < -9.0
        assert 5.0 < max(gains) <= 6.01
        assert float(np.mean(gains)) == pytest.approx(-2.0, abs=1.0)

    def test_a_range_goes_from_low_to_high(self) -> None:
        with pytest.raises(ConfigError, match=r"Gain\.db: goes from low to high; received \(6\.0, -10\.0\)"):
            Gain(sample_rate=RATE, db=(6.0, -10.0))


class TestAddNoise:
    def ratios(self, stage: AddNoise, row: torch.Tensor) -> list[float]:
        added = [stage.prepare(row, key) - row for key in draws()]
        return [decibel(float(row.square().mean() / noise.square().mean())) for noise in added]

    def folder(self, path: Path, lengths: list[int], rate: int = RATE) -> Path:
        for number, length in enumerate(lengths):
            noise = 0.2 * np.random.default_rng(number).standard_normal(length)
            soundfile.write(path / f"{number}.wav", noise, rate, subtype="FLOAT")
        return path

    def test_the_ratio_is_the_drawn_one(self, noisy: Any) -> None:
        ratios = self.ratios(AddNoise(sample_rate=RATE, snr_db=(5.0, 20.0), probability=1.0), noisy(3000))
        assert 4.99 <= min(ratios) < 6.0
        assert 19.0 < max(ratios) <= 20.01
        for ratio in self.ratios(AddNoise(sample_rate=RATE, snr_db=(12.0, 12.0), probability=1.0), noisy(3000)):
            assert ratio == pytest.approx(12.0, abs=0.01)

    @pytest.mark.parametrize("rate", [RATE, 11_025])
    def test_recorded_noise_comes_at_the_drawn_ratio_too(self, rate: int, tmp_path: Path, noisy: Any) -> None:
        folder = self.folder(tmp_path, [9000, 100, 1], rate)  # two of them shorter than the utterance
        stage = AddNoise(sample_rate=RATE, snr_db=(7.0, 9.0), probability=1.0, folder=folder)
        ratios = self.ratios(stage, noisy(1500))
        assert 6.99 <= min(ratios) < 7.2
        assert 8.8 < max(ratios) <= 9.01

    def test_recorded_noise_is_a_stretch_of_a_file(self, tmp_path: Path, noisy: Any) -> None:
        folder = self.folder(tmp_path, [400])
        (recorded, _) = soundfile.read(folder / "0.wav", dtype="float32")
        row = noisy(100)
        stage = AddNoise(sample_rate=RATE, probability=1.0, folder=folder)
        starts = set()
        for key in draws(50):
            noise = (stage.prepare(row, key) - row).numpy()
            likeness = [float(np.corrcoef(noise, recorded[at : at + 100])[0, 1]) for at in range(301)]
            assert max(likeness) > 0.999
            starts.add(int(np.argmax(likeness)))
        assert len(starts) > 25

    def test_every_file_of_a_folder_is_drawn(self, tmp_path: Path, tone: Any) -> None:
        (tmp_path / "deeper").mkdir()
        files = {"a.wav": 500, "b.FLAC": 1000, "deeper/c.ogg": 2000}  # told apart by their frequency
        for name, hertz in files.items():
            soundfile.write(tmp_path / name, tone(hertz, 0.5, RATE).numpy(), RATE)
        (tmp_path / "notes.txt").write_text("no noise")
        stage = AddNoise(sample_rate=RATE, probability=1.0, folder=tmp_path)
        row = torch.ones(800)
        noises = [(stage.prepare(row, key) - row).numpy() for key in draws(40)]
        assert {10 * int(np.abs(np.fft.rfft(noise)).argmax()) for noise in noises} == set(files.values())

    @pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
    def test_the_slope_is_that_of_the_spectrum(self, slope: float) -> None:
        stage = AddNoise(sample_rate=RATE, probability=1.0, slope=(slope, slope))
        row = torch.ones(4096)
        power = np.mean(
            [np.abs(np.fft.rfft((stage.prepare(row, key) - row).numpy()))[20:1000] ** 2 for key in draws(60)], axis=0
        )
        fitted = np.polyfit(np.log(np.arange(20, 1000)), np.log(power), 1)[0]
        assert fitted == pytest.approx(-slope, abs=0.1)

    def test_an_empty_folder_is_an_error(self, tmp_path: Path, noisy: Any) -> None:
        for folder in (tmp_path, tmp_path / "gone"):
            stage = AddNoise(sample_rate=RATE, probability=1.0, folder=folder)
            with pytest.raises(ConfigError, match=r"AddNoise\.folder: .*holds no \.wav, \.flac or \.ogg"):
                stage.prepare(noisy(50), RowKey(1, 0, 0))

    def test_ranges_go_from_low_to_high(self) -> None:
        for options in ({"snr_db": (20.0, 10.0)}, {"slope": (2.0, 0.0)}):
            with pytest.raises(ConfigError, match="from low to high"):
                AddNoise(sample_rate=RATE, **options)


def test_sample_rates_come_from_the_waveform() -> None:
    for name in STAGES:
        chain: Any = FeatureChain(stages=[Waveform.configure(sample_rate=RATE), name])
        assert chain.stages[1].sample_rate == RATE
