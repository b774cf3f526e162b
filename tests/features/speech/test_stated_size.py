"""Sizes in headers: true ones, those of files that were cut off, and those of writers that couldn't know them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from seqpipe.core.input import FileSpan
from seqpipe.errors import InputError
from seqpipe.features.speech.stated_size import SLACK, stated_size
from seqpipe.features.speech.waveform import Waveform

STAGE = Waveform(sample_rate=8000)
ENDLESS = [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 2_000_000_000, 0xFFFFFFFF - 36, 0x7FFFFFFF - 80]
"""Sizes that writers to a pipe state."""


def wav(subtype: str = "PCM_16", kind: str = "WAV", seconds: int = 1) -> bytes:
    """Some noise."""
    file = io.BytesIO()
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, seconds * 8000)
    soundfile.write(file, samples, 8000, subtype=subtype, format=kind)
    return file.getvalue()


def promising(content: bytes, size: int, mark: bytes = b"data", layout: str = "<I", behind: int = 0) -> bytes:
    """The file with another number some bytes behind a mark."""
    place = content.index(mark) + len(mark) + behind
    return content[:place] + struct.pack(layout, size) + content[place + struct.calcsize(layout) :]


def is_cut(content: bytes) -> bool:
    found = stated_size(io.BytesIO(content), len(content))
    return found is not None and found.is_cut


def read(content: bytes, folder: Path | None = None) -> torch.Tensor:
    """All samples, as many as the length says; of a path the same."""
    samples = STAGE.prepare(content, None)
    assert STAGE.length(content) == len(samples)
    if folder is not None:
        (folder / "a.wav").write_bytes(content)
        assert torch.equal(STAGE.prepare(folder / "a.wav", None), samples)
    return samples


@pytest.mark.parametrize(
    ("subtype", "kind"),
    [
        *((subtype, "WAV") for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM")),
        *(("PCM_16", kind) for kind in ("WAVEX", "RF64", "AIFF", "AU", "CAF", "W64")),
        ("FLOAT", "AIFF"),
    ],
)
def test_a_whole_file_misses_nothing_and_a_cut_one_does(subtype: str, kind: str) -> None:
    content = wav(subtype, kind)
    assert not is_cut(content)
    half = content[: len(content) // 2]
    found = stated_size(io.BytesIO(half), len(half))
    assert found is not None
    assert found.is_cut
    assert 0 < found.held < found.stated <= len(content)


def test_a_chunk_may_stand_before_and_behind_the_sound() -> None:
    content = wav()
    place = content.index(b"data")
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    for whole in (content[:place] + extra + content[place:], content + extra):
        assert not is_cut(whole)
    assert is_cut((content[:place] + extra + content[place:])[:-8000])


def test_a_header_that_is_counted_as_sound_is_no_loss() -> None:
    assert not is_cut(promising(wav(), 16000 + SLACK - 1))
    assert is_cut(promising(wav(), 16000 + SLACK + 1))


def test_a_recording_of_three_gigabytes_that_was_cut_is_told() -> None:
    assert is_cut(promising(wav(), 3_000_000_000))


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata", b"fLaC" * 9, b"RIFF" * 9, b"caff", b".snd"]
)
def test_what_is_no_wav_file_is_left_to_others(content: bytes) -> None:
    assert not is_cut(content)


def test_a_cut_recording_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(wav()[:-6000])
    for look in (STAGE.length, lambda raw: STAGE.prepare(raw, None)):
        for raw in (path, path.read_bytes()):
            with pytest.raises(InputError, match=r"ends after 10000 of the 16000 bytes") as caught:
                look(raw)
            assert caught.value.kind == "truncated"


@pytest.mark.parametrize("size", ENDLESS)
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM"])
def test_a_writer_to_a_pipe_promises_nothing(size: int, subtype: str, tmp_path: Path) -> None:
    content = wav(subtype)
    assert torch.equal(read(promising(content, size), tmp_path), read(content))
    assert torch.equal(read(promising(content, size)[:-1]), read(content)[:-1]) or subtype == "MS_ADPCM"


@pytest.mark.parametrize("size", [0, 2**64 - 1, 2**63 - 1, 0xFFFFFFFF, 2_000_000_000])
def test_long_sizes_that_promise_nothing(size: int, tmp_path: Path) -> None:
    """RF64 has its own of 64 bits elsewhere; ffmpeg's pipes state 0 there, -1 in CAF and the largest one in W64."""
    rf64 = promising(wav(kind="RF64"), size, b"ds64", "<Q", 12)
    caf = promising(wav(kind="CAF"), size, b"data", ">Q")
    w64 = promising(wav(kind="W64"), size, b"data", "<Q", 12)
    for content in (rf64, caf, w64):
        assert torch.equal(read(content, tmp_path), read(wav()))


@pytest.mark.parametrize("size", [*ENDLESS, 8])
def test_aiff_and_au_that_promise_nothing(size: int, tmp_path: Path) -> None:
    for frames in (0, 8000, 0xFFFFFFFF):
        aiff = promising(promising(wav(kind="AIFF"), size, b"SSND", ">I"), frames, b"COMM", ">I", 6)
        assert torch.equal(read(aiff, tmp_path), read(wav()))
    if size != 8:
        assert torch.equal(read(promising(wav(kind="AU"), size, b".snd", ">I", 4), tmp_path), read(wav()))


def test_a_recording_without_sound_may_have_chunks_behind() -> None:
    """Then these are no sound, though the size is 0."""
    content = wav()
    empty = promising(content[: content.index(b"data") + 8], 0)
    said = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    for whole in (empty, empty + said, empty + said + said):
        with pytest.raises(InputError, match="holds no samples") as caught:
            STAGE.prepare(whole, None)
        assert caught.value.kind == "empty"
    assert len(read(empty + said + b"\1\0\2\0")) == (len(said) + 4) // 2  # no chunks alone


def test_a_riff_header_states_no_more_than_four_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    header = promising(wav(), 0xFFFFFFFF)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(2**32 + 1000 + len(header) - 16_000)
        file.seek(-4, io.SEEK_END)
        file.write(b"\xff\x3f" * 2)
    assert STAGE.length(path) == 2**31 + 500
    end = STAGE.prepare(FileSpan(path, (2**31 + 500) / 8000 - 0.001), None)
    assert end.tolist() == [0.0] * 6 + [0x3FFF / 2**15] * 2


def test_what_makes_gsm_even_is_no_sound() -> None:
    """25 blocks of 65 bytes, which libsndfile 1.2 takes for 26."""
    content = wav("GSM610")
    assert struct.unpack_from("<I", content, content.index(b"data") + 4) == (1625,)
    for whole in (content, *(promising(content, size) for size in ENDLESS)):
        assert len(read(whole)) == 8000
