import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.errors import InputError
from seqpipe.features.speech.truncation import SLACK, lacks_end, missing_bytes
from seqpipe.features.speech.waveform import Waveform


def wav(subtype: str = "PCM_16", kind: str = "WAV", seconds: int = 1) -> bytes:
    """Some noise."""
    file = io.BytesIO()
    soundfile.write(
        file, np.random.default_rng(0).uniform(-0.5, 0.5, seconds * 8000), 8000, subtype=subtype, format=kind
    )
    return file.getvalue()


def promising(content: bytes, size: int) -> bytes:
    """The file with another size of its sound in the header."""
    place = content.index(b"data") + 4
    return content[:place] + struct.pack("<I", size) + content[place + 4 :]


@pytest.mark.parametrize(
    ("subtype", "kind"),
    [
        *((subtype, "WAV") for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM")),
        ("PCM_16", "WAVEX"),
        ("PCM_16", "AIFF"),
        ("FLOAT", "AIFF"),
        ("PCM_16", "AU"),
    ],
)
def test_a_whole_file_misses_nothing_and_a_cut_one_does(subtype: str, kind: str) -> None:
    content = wav(subtype, kind)
    assert missing_bytes(io.BytesIO(content)) is None
    held, promised = missing_bytes(io.BytesIO(content[: len(content) // 2])) or (0, 0)
    assert 0 < held < promised <= len(content)


def test_a_chunk_may_stand_before_and_behind_the_sound() -> None:
    content = wav()
    place = content.index(b"data")
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    for whole in (content[:place] + extra + content[place:], content + extra):
        assert missing_bytes(io.BytesIO(whole)) is None
    assert missing_bytes(io.BytesIO((content[:place] + extra + content[place:])[:-8000])) == (8000, 16000)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0])
def test_a_writer_to_a_pipe_promises_nothing(size: int) -> None:
    assert missing_bytes(io.BytesIO(promising(wav(), size))) is None


def test_a_header_that_is_counted_as_sound_is_no_loss() -> None:
    assert missing_bytes(io.BytesIO(promising(wav(), 16000 + SLACK - 1))) is None


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata", b"fLaC" * 9, b"RIFF" * 9]
)
def test_what_is_no_wav_file_is_left_to_others(content: bytes) -> None:
    assert missing_bytes(io.BytesIO(content)) is None


def test_a_cut_recording_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(wav()[:-6000])
    stage = Waveform(sample_rate=8000)
    for look in (stage.length, lambda raw: stage.prepare(raw, None)):
        for raw in (path, path.read_bytes()):
            with pytest.raises(InputError, match=r"ends after 10000 of the 16000 bytes") as caught:
                look(raw)
            assert caught.value.kind == "truncated"


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_has_its_end_unless_it_was_cut_anywhere(subtype: str) -> None:
    content = wav(subtype, "OGG")
    assert not lacks_end(io.BytesIO(content))
    for kept in (len(content) - 1, len(content) - 100, len(content) // 2, 200, 20, 5):
        assert lacks_end(io.BytesIO(content[:kept]))


def test_only_ogg_files_have_such_an_end() -> None:
    for content in (wav(), wav(kind="FLAC"), b"", b"Ogg"):
        assert not lacks_end(io.BytesIO(content))


def test_a_cut_ogg_file_is_suspicious_and_can_be_read(tmp_path: Path) -> None:
    content = wav("VORBIS", "OGG", seconds=9)
    stage = Waveform(sample_rate=8000)
    for kept in (len(content), len(content) - 2000):
        raw = tmp_path / "a.ogg"
        raw.write_bytes(content[:kept])
        for given in (raw, raw.read_bytes()):
            kinds = [kind for kind, _ in stage.warnings(given, stage.prepare(given, None))]
            assert ("no end of stream" in kinds) == (kept < len(content))
