from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.core.input import FileSpan
from seqpipe.errors import InputError
from seqpipe.features.speech import audio_file
from seqpipe.features.speech.audio_file import keeping_open, opened, read_samples

RATE = 8000


@pytest.fixture(params=["wav", "flac", "ogg", "mp3"])
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"long.{request.param}"
    time = np.arange(60 * RATE) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 50 * np.sin(time)) * time), RATE)
    return path


def parts(path: Path) -> list[FileSpan]:
    return [FileSpan(path, float(start), start + 7.5) for start in range(0, 50, 5)]


def test_what_is_read_from_one_opening_is_what_many_openings_give(recording: Path) -> None:
    alone = [read_samples(span)[0] for span in parts(recording)]
    runs = []
    for _ in range(2):
        with keeping_open():
            runs.append([read_samples(span)[0] for span in parts(recording)])
    for one, first, second in zip(alone, *runs, strict=True):
        np.testing.assert_allclose(first, one, atol=1e-6)
        assert np.array_equal(first, second)  # the same places in the same order: the same bits


def test_a_file_is_opened_once_while_it_is_kept_and_closed_after_that(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    real = audio_file._open
    monkeypatch.setattr(audio_file, "_open", lambda span: files.append(real(span)) or files[-1])
    with keeping_open():
        for span in parts(recording):
            read_samples(span)
        assert len(files) == 1
        assert not files[0].closed
    assert files[0].closed
    read_samples(FileSpan(recording))
    assert len(files) == 2
    assert files[1].closed


def test_a_file_that_failed_is_opened_anew(recording: Path) -> None:
    with keeping_open():
        with pytest.raises(InputError, match="starts behind the end"):
            read_samples(FileSpan(recording, 100.0))
        assert len(read_samples(FileSpan(recording, 0.0, 1.0))[0]) == RATE
        with opened(FileSpan(recording)) as file:
            assert file.samplerate == RATE
