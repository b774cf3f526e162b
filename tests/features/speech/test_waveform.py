import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import FileSpan, InputError, Waveform
from seqpipe.features.speech.sinc import resample

RATE = 16_000


@pytest.fixture
def samples(noisy: Any) -> np.ndarray:
    return noisy(4000).numpy()


def written(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def read(raw: Any, rate: int = RATE) -> torch.Tensor:
    return Waveform(sample_rate=rate).prepare(raw, None)


@pytest.mark.parametrize(
    ("extension", "subtype", "tolerance"),
    [
        ("wav", "FLOAT", 0.0),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-23),
        ("flac", "PCM_16", 2**-15),
        ("ogg", "VORBIS", None),
        ("mp3", "MPEG_LAYER_III", None),
    ],
)
def test_formats_give_the_samples_written(
    extension: str, subtype: str, tolerance: float | None, tone: Any, tmp_path: Path
) -> None:
    samples = tone(440.0, 0.25, RATE).numpy()
    path = written(tmp_path / f"a.{extension}", samples, subtype=subtype)
    got = read(path)
    assert (got.dtype, got.shape) == (torch.float32, (4000,))
    assert Waveform(sample_rate=RATE).length(path) == 4000
    if tolerance is None:  # lossy
        assert np.corrcoef(got.numpy(), samples)[0, 1] > 0.99
    else:
        np.testing.assert_allclose(got, samples, atol=tolerance)


def test_every_kind_of_input_is_the_same(samples: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", samples, subtype="FLOAT")
    array = {"array": samples.astype(np.float64), "sampling_rate": RATE}
    spans = [FileSpan(path), FileSpan(path.read_bytes())]
    for raw in (path, str(path), path.read_bytes(), array, {**array, "array": samples.tolist()}, *spans):
        np.testing.assert_array_equal(read(raw), samples)
        assert Waveform(sample_rate=RATE).length(raw) == 4000


def test_channels_are_averaged(samples: np.ndarray, tmp_path: Path) -> None:
    stereo = np.stack([samples, -0.5 * samples], axis=1)
    for raw in (written(tmp_path / "a.wav", stereo, subtype="FLOAT"), {"array": stereo, "sampling_rate": RATE}):
        np.testing.assert_allclose(read(raw), 0.25 * samples, atol=1e-7)
        assert Waveform(sample_rate=RATE).length(raw) == 4000


@settings(max_examples=60)
@given(
    rate=st.sampled_from([8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000]),
    new_rate=st.sampled_from([8000, 11025, 16000, 22050, 44100]),
    length=st.integers(1, 3000),
)
def test_measure_is_the_length_that_prepare_gives(rate: int, new_rate: int, length: int) -> None:
    raw = {"array": np.zeros(length, dtype=np.float32), "sampling_rate": rate}
    assert Waveform(sample_rate=new_rate).length(raw) == len(read(raw, new_rate))


def test_measure_is_exact_for_recordings_of_minutes() -> None:
    """Where torchaudio, which computes lengths in fp32, is a sample short."""
    raw = {"array": np.zeros(3 * 60 * 44_100 + 3, dtype=np.float32), "sampling_rate": 44_100}
    assert Waveform(sample_rate=RATE).length(raw) == len(read(raw)) == math.ceil(len(raw["array"]) * RATE / 44_100)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_resampling_keeps_a_tone(rate: int, tone: Any) -> None:
    resampled = resample(tone(440.0, 0.5, rate).numpy(), rate, RATE)
    inner = slice(800, -800)  # at the ends the filter sees silence
    assert len(resampled) == 8000
    np.testing.assert_allclose(resampled[inner], tone(440.0, 0.5, RATE)[inner], atol=0.01)


def test_spans_are_read_out_of_the_file(samples: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path / "a.flac", samples)
    whole = read(path)
    stage = Waveform(sample_rate=RATE)
    for start, end, first, last in [(0.05, 0.1, 800, 1600), (0.1, None, 1600, 4000), (0.2, 9.0, 3200, 4000)]:
        for source in (path, path.read_bytes()):
            span = FileSpan(source, start, end)
            assert torch.equal(read(span), whole[first:last])
            assert stage.length(span) == last - first
            assert stage.source(span).origin == start
    assert stage.source(path).origin == 0.0


def test_places_are_seconds() -> None:
    places = Waveform(sample_rate=RATE).locate(torch.zeros(1), torch.tensor([0, 8000, 24_000], dtype=torch.float64))
    assert places.tolist() == [0.0, 0.5, 1.5]


class TestRefused:
    """Each wrong input by its kind, with its name in the message."""

    def refused(self, raw: Any, kind: str, name: str) -> str:
        for attempt in (read, Waveform(sample_rate=RATE).length):
            if attempt is not read and kind in ("non-finite", "truncated"):
                continue  # seen only by reading
            if attempt is not read and kind == "empty" and not (isinstance(raw, Path) and raw.stat().st_size == 0):
                assert attempt(raw) == 0
                continue
            with pytest.raises(InputError) as caught:
                attempt(raw)
            assert caught.value.kind == kind
            assert name in str(caught.value)
        return str(caught.value)

    def test_missing(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "gone.wav", "missing", "gone.wav")

    def test_directory(self, tmp_path: Path) -> None:
        self.refused(tmp_path, "not a file", str(tmp_path))

    def test_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").touch()
        self.refused(tmp_path / "a.wav", "empty", "a.wav")

    def test_text_named_wav(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_text("not a sound\n" * 50)
        self.refused(tmp_path / "a.wav", "undecodable", "a.wav")
        self.refused(b"not a sound\n" * 50, "undecodable", "<600 bytes>")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, samples: np.ndarray, tmp_path: Path) -> None:
        path = written(tmp_path / "a.wav", samples)
        path.chmod(0)
        self.refused(path, "unreadable", "a.wav")

    @pytest.mark.parametrize("extension", ["wav", "flac"])
    def test_no_samples(self, extension: str, tmp_path: Path) -> None:
        path = written(tmp_path / f"a.{extension}", np.zeros(0, dtype=np.float32))
        self.refused(path, "empty", f"a.{extension}")
        self.refused({"array": [], "sampling_rate": RATE}, "empty", "audio array")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_no_numbers(self, value: float, samples: np.ndarray, tmp_path: Path) -> None:
        samples[800] = value
        path = written(tmp_path / "a.wav", samples, subtype="FLOAT")
        assert "sample 800 (0.050 s)" in str(self.caught(path))
        stereo = np.stack([np.zeros(4000), samples], axis=1)
        assert "sample 800 (0.050 s)" in str(self.caught({"array": stereo, "sampling_rate": RATE}))

    def caught(self, raw: Any) -> InputError:
        with pytest.raises(InputError) as caught:
            read(raw)
        assert caught.value.kind == "non-finite"
        return caught.value

    @pytest.mark.parametrize("extension", ["flac", "mp3"])
    @pytest.mark.parametrize("share", [0.5, 0.9])
    def test_cut_off(self, extension: str, share: float, noisy: Any, tmp_path: Path) -> None:
        path = written(tmp_path / f"a.{extension}", noisy(40_000).numpy())
        path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
        with pytest.raises(InputError) as caught:
            read(path)
        assert caught.value.kind in ("truncated", "undecodable")

    @pytest.mark.parametrize(("start", "end"), [(0.25, None), (3.0, 4.0), (0.1, 0.1), (0.1, 0.05), (-0.1, 0.2)])
    def test_span_outside(self, start: float, end: float | None, samples: np.ndarray, tmp_path: Path) -> None:
        path = written(tmp_path / "a.wav", samples)
        assert "0.25 s" in self.refused(FileSpan(path, start, end), "bad value", "a.wav")

    def test_no_audio_at_all(self) -> None:
        self.refused(17, "bad value", "int")

    @pytest.mark.parametrize("value", [1e20, -1e20, 2.0**32 + 1024, 3e38])
    def test_samples_far_beyond_any_scale(self, value: float, samples: np.ndarray, tmp_path: Path) -> None:
        samples[800] = value
        path = written(tmp_path / "a.wav", samples, subtype="FLOAT")
        with pytest.raises(InputError, match=r"sample 800 \(0.050 s\)") as caught:
            read(path)
        assert caught.value.kind == "out of range"

    def test_samples_in_whole_numbers_are_read(self, samples: np.ndarray) -> None:
        whole = np.round(samples * 2.0**31)
        assert torch.equal(read({"array": whole, "sampling_rate": RATE}), torch.from_numpy(whole).float())

    @pytest.mark.parametrize("rate", [1, 999, 768_001, 178_000_000])
    def test_absurd_rates(self, rate: int, samples: np.ndarray, tmp_path: Path) -> None:
        self.refused(written(tmp_path / "a.wav", samples, rate), "bad value", f"{rate:,} Hz")
        self.refused({"array": samples, "sampling_rate": rate}, "bad value", f"{rate:,} Hz")

    def test_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.wav")
        self.refused(tmp_path / "a.wav", "not a file", "a pipe or a device")


@pytest.mark.parametrize("start", [math.nan, math.inf, 1e300])
def test_starts_that_are_no_place(start: float, samples: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", samples)
    for span in (FileSpan(path, start), FileSpan(path, 0.0, -start)):
        if span.end is not None and math.isnan(span.end):
            continue
        with pytest.raises(InputError, match=r"leave nothing|starts behind the end"):
            read(span)
    assert len(read(FileSpan(path, 0.0, 1e300))) == 4000


def test_a_file_that_cannot_seek(tone: Any, tmp_path: Path) -> None:
    """GSM 06.10 without a header, which libsndfile 1.2 knows by its ending, at 8,000 Hz."""
    path = tmp_path / "a.gsm"
    soundfile.write(path, tone(440.0, 2.0, 8000).numpy(), 8000, format="RAW", subtype="GSM610")
    stage = Waveform(sample_rate=8000)
    whole = stage.prepare(path, None)
    assert np.corrcoef(whole[:15_000], tone(440.0, 2.0, 8000)[:15_000])[0, 1] > 0.98
    with stage.opened():
        for start, end in [(0.5, 1.0), (0.25, 2.0), (0.0, 0.1)]:
            part = stage.prepare(FileSpan(path, start, end), None)
            assert torch.equal(part, whole[round(8000 * start) : round(8000 * end)])
    segments = stage.split(path, 1.0)
    assert segments is not None
    assert segments[-1].end == 2.0
