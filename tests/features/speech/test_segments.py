"""Long recordings in segments, out of files of every kind."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from seqpipe import FileSpan, InputError, Segment, Waveform

RATE = 8000
STAGE = Waveform(sample_rate=RATE)


def bursts(seconds: int, rate: int = RATE) -> np.ndarray:
    """Noise with a pause of 0.4 s after every 1.6 s."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(seconds * rate)
    time = np.arange(len(samples)) / rate
    return np.where(time % 2 < 1.6, samples, 0.001 * samples).astype(np.float32)


def cut(raw: Any, max_length: float = 5.0) -> list[Segment]:
    segments = STAGE.split(raw, max_length=max_length)
    assert segments is not None
    return segments


def borders(segments: list[Segment]) -> list[float]:
    return [segments[0].start, *(segment.end for segment in segments)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "a.flac"
    soundfile.write(path, bursts(20), RATE)
    return path


def test_a_segment_is_what_the_whole_is_there(recording: Path) -> None:
    whole = STAGE.prepare(recording, None)
    array = {"array": soundfile.read(recording)[0], "sampling_rate": RATE, "path": "a.flac"}
    for raw in (recording, str(recording), recording.read_bytes(), FileSpan(recording), array):
        segments = cut(raw)
        assert borders(segments) == borders(cut(recording))
        for segment in segments:
            first = round(STAGE.source(segment.raw).origin * RATE)
            samples = STAGE.prepare(segment.raw, None)
            assert torch.equal(samples, whole[first : first + len(samples)])
            assert len(samples) == STAGE.length(segment.raw) <= 5 * RATE
            last = first + len(samples)
            assert first == (0 if segment is segments[0] else round((segment.start - segment.overlap) * RATE))
            assert last == (len(whole) if segment is segments[-1] else round((segment.end + segment.overlap) * RATE))


def test_cuts_lie_in_the_pauses(recording: Path) -> None:
    for place in borders(cut(recording))[1:-1]:
        assert 1.6 < place % 2 < 2


def test_times_are_counted_from_the_beginning_of_the_file(recording: Path) -> None:
    """Of a span too, and of an array that says where it was cut out."""
    samples = soundfile.read(recording)[0]
    array = {"array": samples[3 * RATE : 19 * RATE], "sampling_rate": RATE, "start": 3.0}
    for raw in (FileSpan(recording, 3.0, 19.0), array):
        segments = cut(raw)
        assert (segments[0].start, segments[-1].end) == (3.0, 19.0)
        assert STAGE.source(segments[0].raw).origin == 3.0
        assert all(1.6 < place % 2 < 2 for place in borders(segments)[1:-1])
        whole = STAGE.prepare(raw, None)
        for segment in segments:
            first = round((STAGE.source(segment.raw).origin - 3) * RATE)
            part = STAGE.prepare(segment.raw, None)
            assert torch.equal(part, whole[first : first + len(part)])


@pytest.mark.parametrize(("extension", "rate"), [("wav", 44_100), ("ogg", 16_000), ("mp3", 22_050)])
def test_any_rate_and_channels(extension: str, rate: int, tmp_path: Path) -> None:
    samples = bursts(12, rate)
    soundfile.write(tmp_path / f"a.{extension}", np.stack([samples, 0.3 * samples], axis=1), rate)
    segments = cut(tmp_path / f"a.{extension}")
    assert (segments[0].start, segments[-1].end) == (0.0, 12.0)
    for place in borders(segments)[1:-1]:
        assert 1.6 < place % 2 < 2
    for segment in segments:
        assert STAGE.length(segment.raw) == len(STAGE.prepare(segment.raw, None)) <= 5 * RATE


def test_what_is_not_longer_is_left_whole(recording: Path) -> None:
    array = {"array": np.zeros(20 * RATE), "sampling_rate": RATE}
    for raw in (recording, array, FileSpan(recording, 1.0)):
        assert STAGE.split(raw, max_length=20.0) is None
    assert STAGE.split(FileSpan(recording, 2.0, 12.0), max_length=10.0) is None
    assert STAGE.split({"array": [], "sampling_rate": RATE}, max_length=10.0) is None
    assert len(cut(recording, 19.999)) == 2


class TestRefused:
    """As `prepare` refuses the whole."""

    def refused(self, raw: Any) -> InputError:
        with pytest.raises(InputError) as whole:
            STAGE.prepare(raw, None)
        with pytest.raises(InputError) as caught:
            STAGE.split(raw, max_length=5.0)
        assert caught.value.kind == whole.value.kind
        return caught.value

    def test_missing_and_undecodable(self, tmp_path: Path) -> None:
        assert "gone.wav" in str(self.refused(tmp_path / "gone.wav"))
        self.refused(b"not a sound\n" * 50)
        self.refused(17)

    def test_arrays_that_are_none(self) -> None:
        self.refused({"array": np.zeros(20 * RATE)})
        self.refused({"array": np.zeros((2, 2, 20 * RATE)), "sampling_rate": RATE})
        assert "and -1" in str(self.refused({"array": np.zeros(20 * RATE), "sampling_rate": RATE, "start": -1}))

    @pytest.mark.parametrize("extension", ["wav", "flac", "mp3"])
    def test_cut_off(self, extension: str, tmp_path: Path) -> None:
        path = tmp_path / f"a.{extension}"
        soundfile.write(path, bursts(40), RATE)
        path.write_bytes(path.read_bytes()[: round(0.8 * path.stat().st_size)])
        self.refused(path)

    def test_values_that_are_no_numbers(self, tmp_path: Path) -> None:
        samples = bursts(20)
        samples[15 * RATE] = np.nan
        soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
        for raw in (tmp_path / "a.wav", {"array": samples, "sampling_rate": RATE}):
            assert f"sample {15 * RATE} (15.000 s) is not a finite number" in str(self.refused(raw))


def test_an_hour_takes_no_memory(tmp_path: Path) -> None:
    """A few megabytes: a block of samples, a level every 20 ms and the segments themselves (its samples are 115 MB)."""
    path, minute = tmp_path / "a.wav", bursts(60)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(60):
            file.write(minute)
    tracemalloc.start()
    segments = cut(path, 20.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert segments[-1].end == 3600.0
    assert peak < 8e6
