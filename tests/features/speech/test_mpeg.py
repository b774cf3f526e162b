"""MPEG streams whose number of frames no header states, or not for all of the file."""

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from seqpipe.config.recipe import DataConfig
from seqpipe.core.input import FileSpan
from seqpipe.data.source import read_rows
from seqpipe.errors import InputError
from seqpipe.features.speech.audio_file import keeping_open
from seqpipe.features.speech.mpeg import Header, find_stream, parse_header
from seqpipe.features.speech.waveform import Waveform

RATE = 16_000
STAGE = Waveform(sample_rate=RATE)
FRAME = 576
DECODER_DELAY = 529
"""Samples of sound that a decoder gives late; libmpg123 takes them off."""
ID3 = b"ID3\x03\0\0\0\0\x02\x01" + b"\xff\xfb\x90\x00" * 64 + b"x"
ID3_1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<IIII8x", 2000, 42, 1, 1 << 31 | 1 << 29) + bytes(42) + b"APETAGEX"
APE += struct.pack("<IIII8x", 2000, 42, 1, 1 << 31)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """A quiet and a loud part, so that bit rates vary; low noise, so that places can be told."""
    count = round(seconds * RATE)
    level = np.where(np.arange(count) < 0.3 * count, 0.0005, 0.2)
    noise = np.convolve(np.random.default_rng(seed).standard_normal(count), np.hanning(32), "same")
    return level * noise / noise.std()


def mp3(samples: np.ndarray, mode: str = "VARIABLE", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return file.getvalue()


def first_frame(content: bytes) -> int:
    """Bytes of the frame that states how many there are."""
    header = parse_header(content[:4])
    assert header is not None
    assert 0 < mark(content) < header.length
    return header.length


def mark(content: bytes) -> int:
    """Where what it states begins: flags, numbers of frames and of bytes."""
    return max(content.find(b"Xing"), content.find(b"Info")) + 4


def stated(content: bytes) -> int:
    """Frames."""
    return int(struct.unpack_from(">I", content, mark(content) + 4)[0])


def bare(content: bytes) -> bytes:
    """Without that frame."""
    return content[first_frame(content) :]


def lag(samples: torch.Tensor, sought: np.ndarray, at: int) -> int:
    """By how much later than ``at`` something is heard; it must be within a quarter of a second."""
    first = max(0, at - 4000)
    found = first + int(np.argmax(np.correlate(samples[first : at + 4000 + len(sought)].numpy(), sought)))
    assert np.corrcoef(samples[found : found + len(sought)], sought)[0, 1] > 0.9
    return found - at


def read(content: bytes, folder: Path) -> torch.Tensor:
    """Samples, as many as the length says; of bytes and of a path, whole and in spans."""
    path = folder / "a.mp3"
    path.write_bytes(content)
    samples = STAGE.prepare(path, None)
    assert torch.equal(STAGE.prepare(content, None), samples)
    assert STAGE.length(path) == STAGE.length(content) == len(samples)
    assert STAGE.warnings(path, samples) == []
    seconds = len(samples) / RATE
    for start, end in ((0.0, seconds), (seconds - 0.5, None), (0.4, seconds - 0.3)):
        part = STAGE.prepare(FileSpan(path, start, end), None)
        stop = len(samples) if end is None else round(end * RATE)
        np.testing.assert_allclose(part, samples[round(start * RATE) : stop], atol=1e-6)
    assert (
        "shorter than its span",
        f"{FileSpan(path, 0.1, 99.0)}: the file ends at {seconds:.2f} s",
    ) in STAGE.warnings(FileSpan(path, 0.1, 99.0), samples)
    return samples


@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
@pytest.mark.parametrize("before", [b"", ID3], ids=["", "tag"])
def test_a_stream_that_states_no_length_is_read_to_its_end(mode: str, before: bytes, tmp_path: Path) -> None:
    whole = sound(3.0)
    content = mp3(whole, mode)
    as_stated = STAGE.prepare(content, None)
    assert len(as_stated) == len(whole)  # the encoder's delay and padding are known, and taken off
    samples = read(before + bare(content) + ID3_1, tmp_path)
    assert len(samples) == stated(content) * FRAME - DECODER_DELAY
    assert lag(samples, whole[-4000:-1000], len(whole) - 4000) == 576  # LAME's, of which nothing tells now
    assert lag(as_stated, whole[-4000:-1000], len(whole) - 4000) == 0


def test_a_long_one_is_cut_into_segments_that_reach_its_end(tmp_path: Path) -> None:
    whole = sound(50.0)
    samples = read(bare(mp3(whole)), tmp_path)
    segments = STAGE.split(tmp_path / "a.mp3", 10.0)
    assert segments is not None
    assert segments[-1].end == len(samples) / RATE > 50.0
    with keeping_open():
        for segment in segments:
            heard = STAGE.prepare(segment.raw, None)
            first = round(segment.raw.start * RATE)
            np.testing.assert_allclose(heard, samples[first : first + len(heard)], atol=1e-6)


def test_joined_streams_are_read_one_after_the_other(tmp_path: Path) -> None:
    one, two = sound(2.0, 1), sound(2.5, 2)
    first, second = mp3(one), mp3(two, "CONSTANT")
    frames = stated(first) + stated(second)
    for joined in (
        first + second,
        ID3 + first + ID3_1 + ID3 + second + ID3_1,
        first + APE + second + APE + ID3_1,
        first + b"noise of some kind" + second,
        first + bare(second),
    ):
        samples = read(joined, tmp_path)
        assert abs(len(samples) - frames * FRAME) < 4 * FRAME
        assert lag(samples, one[-4000:-1000], len(one) - 4000) == 0  # the first one's delay is known
        assert 0 <= lag(samples, two[-4000:-1000], len(one) + len(two) - 4000) < 3 * FRAME
    bare_ones = read(bare(first) + bare(second), tmp_path)
    assert 576 <= lag(bare_ones, two[-4000:-1000], len(one) + len(two) - 4000) < 5 * FRAME


def test_tags_and_noise_around_a_stream_that_states_its_length_change_nothing(tmp_path: Path) -> None:
    content = mp3(sound(2.0))
    expected = STAGE.prepare(content, None)
    for whole in (content + ID3_1, ID3 + content, content + APE, content + APE + ID3_1, content + b"noise" * 99):
        assert torch.equal(read(whole, tmp_path), expected)


def altered(content: bytes, frames: int | None = None, size: int | None = None) -> bytes:
    """With other numbers of frames and bytes in the first frame."""
    head = bytearray(content)
    for at, value in ((4, frames), (8, size)):
        if value is not None:
            struct.pack_into(">I", head, mark(content) + at, value)
    return bytes(head)


def test_a_header_that_is_wrong_is_not_believed(tmp_path: Path) -> None:
    content = mp3(sound(2.0))
    expected = STAGE.prepare(content, None)
    assert torch.equal(read(altered(content, size=5), tmp_path), expected)
    for wrong in (0, stated(content) - 20, stated(content) + 1):  # and one that counts the frame itself
        samples = read(altered(content, frames=wrong, size=5), tmp_path)
        assert len(expected) <= len(samples) <= len(expected) + 3 * FRAME
        np.testing.assert_allclose(samples[: len(expected) - 2 * FRAME], expected[: -2 * FRAME], atol=1e-6)


def test_what_was_cut_off_is_told_where_a_header_states_more() -> None:
    content = mp3(sound(2.0))
    for kept in (len(content) - 1, len(content) - 200, len(content) // 2, 600):
        for cut in (content[:kept], ID3 + content[:kept], content[:kept] + content, content + content[:kept]):
            with pytest.raises(
                InputError, match=f"of the {stated(content)} MPEG frames that its header promises"
            ) as caught:
                STAGE.length(cut)
            assert caught.value.kind == "truncated"


def test_a_last_frame_that_is_not_whole_is_left_out(tmp_path: Path) -> None:
    """So a recorder that is stopped ends; no header states more."""
    content = bare(mp3(sound(2.0)))
    samples = read(content, tmp_path)
    cut = read(content[:-1], tmp_path)
    assert len(cut) == len(samples) - FRAME
    joined = read(content[:-1] + content, tmp_path)
    assert len(joined) == 2 * len(samples) - FRAME + DECODER_DELAY


def test_streams_that_differ_are_no_recording() -> None:
    one, wide = mp3(sound(1.0)), mp3(np.stack([sound(1.0)] * 2, axis=1))
    fast = mp3(sound(1.0), rate=44_100)
    for joined, said in (
        (one + fast, r"of 16,000 Hz with 1 channel \(layer III\) and of 44,100 Hz with 1 channel"),
        (bare(one) + ID3 + wide, r"of 16,000 Hz with 1 channel \(layer III\) and of 16,000 Hz with 2 channels"),
        (ID3 + bare(wide) + ID3_1 + bare(one), "with 2 channels"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            STAGE.length(joined)
        assert caught.value.kind == "bad value"


def layer_two(frames: int) -> bytes:
    """Silence of layer II at 44.1 kHz, whose frames have 417 or 418 bytes."""
    content, size = b"", 0
    for number in range(1, frames + 1):
        length = 144 * 128_000 * number // 44_100 - size
        content += bytes((0xFF, 0xFD, 0x80 | (length == 418) << 1, 0xC0)) + bytes(length - 4)
        size += length
    return content


def test_layer_two_is_counted_too() -> None:
    stage = Waveform(sample_rate=44_100)
    for content in (layer_two(100), ID3 + layer_two(100) + ID3_1, layer_two(60) + layer_two(40)):
        assert abs(stage.length(content) - 115_200) < 10
        assert len(stage.prepare(content, None)) == stage.length(content)


def test_a_folder_gives_layers_one_and_two_by_their_endings(tmp_path: Path) -> None:
    (tmp_path / "a.mp2").write_bytes(layer_two(50))
    (row,) = read_rows(str(tmp_path), DataConfig(), suffixes=STAGE.suffixes, needs_target=False)
    assert Waveform(sample_rate=44_100).length(row.input) == 57_600


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("fffb90c4", Header(3, 44_100, 1, 417, 1152, True)),
        ("fffb9264", Header(3, 44_100, 2, 418, 1152, True)),
        ("fff388c4", Header(3, 16_000, 1, 288, 576, False)),
        ("ffe348c4", Header(3, 8_000, 1, 288, 576, False)),
        ("fffd80c0", Header(2, 44_100, 1, 417, 1152, True)),
        ("ffff80c0", Header(1, 44_100, 1, 276, 384, True)),
    ],
)
def test_headers_of_frames(head: str, expected: Header) -> None:
    found = parse_header(bytes.fromhex(head))
    assert found == expected


@pytest.mark.parametrize(
    "head", ["", "fffb", "fffb00c4", "fffbf0c4", "fffb9cc4", "ffeb90c4", "fff990c4", "fffb90c2", "fefb90c4"]
)
def test_what_is_no_header(head: str) -> None:
    assert parse_header(bytes.fromhex(head)) is None


def test_what_is_no_stream_is_left_to_others() -> None:
    for content in (
        b"",
        b"ID3",
        ID3,
        ID3_1,
        b"\xff\xfb\x90\xc4",
        b"\xff" * 5000,
        bytes(range(256)) * 20,
        ID3 + b"fLaC",
    ):
        assert find_stream(io.BytesIO(content), "a", 0, len(content)) is None


@pytest.mark.parametrize("program", ["lame", "ffmpeg"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("way", [("-b", "64"), ("--abr", "48"), ("-V", "4")], ids=["constant", "average", "variable"])
def test_what_encoders_write_without_a_header(program: str, rate: int, way: tuple[str, str], tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    whole = sound(3.0)
    soundfile.write(tmp_path / "a.wav", whole, rate)
    source, target = str(tmp_path / "a.wav"), str(tmp_path / "a.mp3")
    if program == "lame":
        command = ["lame", "--quiet", "-t", "--resample", f"{rate / 1000:g}", *way, source, target]
    else:
        as_ffmpeg = {"-b": ["-b:a", "64k"], "--abr": ["-abr", "1", "-b:a", "48k"], "-V": ["-q:a", "4"]}[way[0]]
        command = [
            "ffmpeg",
            "-loglevel",
            "error",
            "-i",
            source,
            "-c:a",
            "libmp3lame",
            *as_ffmpeg,
            "-write_xing",
            "0",
            target,
        ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    stage = Waveform(sample_rate=rate)
    samples = stage.prepare(tmp_path / "a.mp3", None)
    assert stage.length(tmp_path / "a.mp3") == len(samples)
    assert len(whole) < len(samples) < len(whole) + 4 * 1152
    assert 576 <= lag(samples, whole[-4000:-2000], len(whole) - 4000) <= 1152
