"""Places in files: reached by a seek where the codec can, by reading where it can't, and with the same samples."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from seqpipe.core.input import FileSpan
from seqpipe.errors import InputError
from seqpipe.features.speech.audio_file import keeping_open
from seqpipe.features.speech.sample_reader import SampleReader
from seqpipe.features.speech.waveform import Waveform

RATE = 8000
STAGE = Waveform(sample_rate=RATE)
STREAMS = [
    ("a.wav", "WAV", "GSM610"),
    ("a.w64", "W64", "GSM610"),
    ("a.gsm", "RAW", "GSM610"),
    ("a.vox", "RAW", "VOX_ADPCM"),
    ("a.wav", "WAV", "G721_32"),
    ("a.au", "AU", "G723_24"),
    ("a.wav", "WAV", "NMS_ADPCM_32"),
    ("a.aiff", "AIFF", "DWVW_16"),
]
"""What libsndfile can't seek in."""


@pytest.fixture(params=STREAMS, ids=lambda found: f"{found[1]}-{found[2]}")
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """45 seconds, a whole number of blocks of each codec."""
    name, kind, subtype = request.param
    time = np.arange(45 * RATE) / RATE
    samples = 0.3 * np.sin(2 * np.pi * (200 + 50 * np.sin(time)) * time) * (np.sin(3 * time) > -0.5)
    soundfile.write(tmp_path / name, samples, RATE, format=kind, subtype=subtype)
    return tmp_path / name


def test_what_cannot_seek_is_read_as_a_stream(stream: Path) -> None:
    whole = STAGE.prepare(stream, None)
    assert STAGE.length(stream) == len(whole)
    assert 45 * RATE <= len(whole) <= 45 * RATE + 160
    assert STAGE.warnings(stream, whole) == []
    places = [(0.0, 1.0), (0.5, 30.0), (29.0, 30.0), (30.0, 31.0), (3.0, 4.0), (40.0, None)]
    alone = [STAGE.prepare(FileSpan(stream, start, end), None) for start, end in places]
    with keeping_open():
        together = [STAGE.prepare(FileSpan(stream, start, end), None) for start, end in places]
    for (start, end), one, other in zip(places, alone, together, strict=True):
        expected = whole[round(start * RATE) : None if end is None else round(end * RATE)]
        assert torch.equal(one, expected)
        assert torch.equal(other, expected)


def test_segments_of_what_cannot_seek(stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = STAGE.prepare(stream, None)
    segments = STAGE.split(stream, 10.0)
    assert segments is not None
    assert segments[-1].end == len(whole) / RATE
    opened = []
    real = SampleReader._open
    monkeypatch.setattr(SampleReader, "_open", lambda self: opened.append(real(self)))
    with keeping_open():
        for segment in segments:
            heard = STAGE.prepare(segment.raw, None)
            first = round(segment.raw.start * RATE)
            assert torch.equal(heard, whole[first : first + len(heard)])
    assert len(opened) == 1  # overlaps are kept


def test_channels_of_what_cannot_seek(stream: Path) -> None:
    """Codecs of one channel all of them."""
    assert Waveform(sample_rate=RATE, channels="each").unbind(stream) is None
    part = STAGE.prepare(FileSpan(stream, 1.0, 2.0, channel=1), None)
    assert torch.equal(part, STAGE.prepare(FileSpan(stream, 1.0, 2.0), None))
    with pytest.raises(InputError, match="there are channels 1 to 1"):
        STAGE.prepare(FileSpan(stream, 1.0, 2.0, channel=2), None)


def test_an_mp3_has_the_same_samples_wherever_reading_begins(tmp_path: Path) -> None:
    """A tone has few bits a frame, and these stand far before it."""
    path = tmp_path / "tone.mp3"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * np.arange(20 * 16_000) / 16_000), 16_000)
    stage = Waveform()
    whole = stage.prepare(path, None)
    for start in (0.01, 2.5, 7.777, 19.5):
        part = stage.prepare(FileSpan(path, start, None), None)
        np.testing.assert_allclose(part, whole[round(start * 16_000) :], atol=1e-6)
    with SampleReader(lambda: str(path)) as file:
        blocks = [file.read(at, 5000) for at in range(0, file.frames, 5000)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
