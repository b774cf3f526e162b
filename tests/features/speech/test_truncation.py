import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.features.speech.truncation import lacks_end
from seqpipe.features.speech.waveform import Waveform


def wav(subtype: str = "PCM_16", kind: str = "WAV", seconds: int = 1) -> bytes:
    """Some noise."""
    file = io.BytesIO()
    soundfile.write(
        file, np.random.default_rng(0).uniform(-0.5, 0.5, seconds * 8000), 8000, subtype=subtype, format=kind
    )
    return file.getvalue()


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
