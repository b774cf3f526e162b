from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from seqpipe import FileSpan, InputError, Waveform
from seqpipe.core.warning import collecting_warnings

RATE = 16_000


@pytest.fixture
def samples(noisy: Any) -> np.ndarray:
    return noisy(8000).numpy()


def read(channels: np.ndarray, how: Any) -> tuple[torch.Tensor, list[tuple[str, str]]]:
    with collecting_warnings() as heard:
        mono = Waveform(channels=how).prepare({"array": channels, "sampling_rate": RATE}, None)
    return mono, heard


@pytest.mark.parametrize("weaker", [1.0, 0.8, 0.7])
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_channels_that_cancel_fall_back_to_the_louder(weaker: float, offset: float, samples: np.ndarray) -> None:
    both = np.stack([-weaker * samples + offset, samples - offset], axis=1)
    mono, heard = read(both, "mix")
    expected = 0 if weaker == 1 and both[:, 0].var() >= both[:, 1].var() else 1
    np.testing.assert_array_equal(mono, both[:, expected])
    ((kind, message),) = heard
    assert kind == "cancelling channels"
    assert f"channel {expected + 1}, the loudest" in message


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 1.0])
def test_a_part_in_opposite_phase_counts_by_its_power(share: float, noisy: Any) -> None:
    samples = np.tile(noisy(8192).numpy(), 20)  # a block's power is that of the others
    turned = 0.999 * samples
    turned[len(samples) - round(share * len(samples)) :] *= -1
    both = np.stack([samples, turned], axis=1)
    mono, heard = read(both, "mix")
    np.testing.assert_array_equal(mono, samples if share > 0.1 else both.mean(axis=1))
    assert [kind for kind, _ in heard] == ["cancelling channels"] * (share > 0.1)
    assert not heard or f"in {100 * share:.0f} % of its sound" in heard[0][1]


def test_channels_that_do_not_are_mixed(samples: np.ndarray, noisy: Any) -> None:
    other = noisy(8001).numpy()[1:]
    for both in (
        [samples, samples],
        [samples, other],
        [samples, 0 * samples],
        [samples, -0.3 * samples],
        [0 * other] * 2,
    ):
        stacked = np.stack(both, axis=1)
        mono, heard = read(stacked, "mix")
        np.testing.assert_array_equal(mono, stacked.mean(axis=1))
        assert heard == []
    many = np.stack([np.random.default_rng(seed).standard_normal(8000) for seed in range(16)], axis=1).astype("f4")
    assert read(many, "mix")[1] == []  # unrelated ones leave a sixteenth of their power


def test_the_first_and_the_loudest(samples: np.ndarray) -> None:
    both = np.stack([0.5 * samples + 0.4, samples], axis=1)  # an offset is no sound
    np.testing.assert_array_equal(read(both, "first")[0], both[:, 0])
    np.testing.assert_array_equal(read(both, "loudest")[0], both[:, 1])


def test_each_gives_a_recording_a_channel(samples: np.ndarray, tmp_path: Path) -> None:
    both = np.stack([samples, 0.1 * samples[::-1]], axis=1)
    stage = Waveform(channels="each")
    path = tmp_path / "a.wav"
    soundfile.write(path, both, RATE, subtype="FLOAT")
    for raw in (path, str(path), path.read_bytes(), FileSpan(path, 0.1), {"array": both, "sampling_rate": RATE}):
        parts = stage.unbind(raw)
        assert parts is not None
        assert [suffix for suffix, _ in parts] == ["#1", "#2"]
        first = 1600 if isinstance(raw, FileSpan) else 0
        for at, (_, part) in enumerate(parts):
            np.testing.assert_array_equal(stage.prepare(part, None), both[first:, at])
            assert stage.length(part) == 8000 - first
            assert stage.unbind(part) is None
        with pytest.raises(InputError, match=r"2 channels.*data\.channel"):
            stage.prepare(raw, None)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    assert stage.unbind(path) is None
    np.testing.assert_array_equal(stage.prepare(path, None), samples)
    assert Waveform().unbind({"array": both, "sampling_rate": RATE}) is None


def test_an_array_that_lies_the_other_way_is_told(samples: np.ndarray) -> None:
    for how in ("mix", "each"):
        for call in (Waveform(channels=how).length, lambda raw: Waveform().prepare(raw, None)):
            with pytest.raises(InputError, match=r"8,000 channels of 2 samples; is it \[channels, S\]"):
                call({"array": np.stack([samples, samples]), "sampling_rate": RATE})


def test_a_channel_of_a_file(samples: np.ndarray, tmp_path: Path) -> None:
    both = np.stack([samples, -samples], axis=1)
    path = tmp_path / "a.flac"
    soundfile.write(path, both, RATE, subtype="PCM_24")
    second = FileSpan(path, channel=2)
    with collecting_warnings() as heard:
        np.testing.assert_allclose(Waveform().prepare(second, None), -samples, atol=2**-22)
    assert heard == []
    assert (str(second), second.name) == (f"{path}#2", f"{path}#2")
    assert second.identity() != FileSpan(path).identity()
    assert second.record() == {**FileSpan(path).record(), "channel": 2}
    with pytest.raises(InputError, match="channels 1 to 2"):
        Waveform().prepare(FileSpan(path, channel=3), None)


def test_segments_are_of_the_same_channel(samples: np.ndarray, tmp_path: Path) -> None:
    both = np.stack([np.tile(samples, 12), np.tile(samples[::-1], 12)], axis=1)
    path = tmp_path / "a.wav"
    soundfile.write(path, both, RATE, subtype="FLOAT")
    segments = Waveform(channels="each").split(FileSpan(path, channel=2), 2.0)
    assert segments is not None
    assert {segment.raw.channel for segment in segments} == {2}
    np.testing.assert_array_equal(
        Waveform().prepare(segments[1].raw, None)[:100],
        both[round(segments[1].raw.start * RATE) :][:100, 1],
    )
