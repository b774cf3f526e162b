"""tools/prepare_fsdd.py, on made-up downloads of the public layout."""

import os
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_fsdd.py"
HEADER = ["path", "digit", "text", "speaker", "index", "samples"]
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
NAMES = [f"{digit}_{speaker}_{index}" for digit in range(10) for speaker in SPEAKERS for index in range(50)]
Run = Callable[..., subprocess.CompletedProcess[str]]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def real_folder() -> Path | None:
    """The prepared FSDD of this machine, where there is one."""
    folder = Path(os.environ.get("SEQPIPE_DATA", "")) / "fsdd"
    return folder if "SEQPIPE_DATA" in os.environ and (folder / "train.tsv").is_file() else None


@dataclass(frozen=True)
class Made:
    """One run of the script over a made-up download."""

    written: dict[str, np.ndarray]  # [S] by name, without .wav
    result: subprocess.CompletedProcess[str]
    output: Path


@pytest.fixture(scope="module")
def made(prepare: Run, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Run the script over noise: of the real lengths where the real lists are here, else of a few samples.

    Once for the whole file, since the rules want all 3,000 recordings.
    """
    generator = np.random.default_rng(0)
    lengths = {name: 20 + position % 37 for position, name in enumerate(NAMES)}
    if real := real_folder():
        for split in ("train", "dev"):
            for _, digit, _, speaker, index, samples in read_tsv(real / f"{split}.tsv")[1:]:
                lengths[f"{digit}_{speaker}_{index}"] = int(samples)
    written = {name: generator.integers(-32768, 32768, length).astype(np.int16) for name, length in lengths.items()}
    folder = tmp_path_factory.mktemp("fsdd")
    (folder / "download" / "recordings").mkdir(parents=True)
    for name, samples in written.items():
        # Not soundfile, which takes ten times as long for a file of some samples.
        with wave.open(str(folder / "download" / "recordings" / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8_000, len(samples), "NONE", "not compressed"))
            file.writeframes(samples.tobytes())
    (folder / "download" / "recordings" / "notes.txt").write_text("not a recording: left alone")
    output = folder / "made" / "fsdd"
    return Made(written, prepare(folder / "download", output), output)


def empty_download(download: Path) -> None:
    """Write a download with the right names and no audio: enough for what is refused before audio is read."""
    (download / "recordings").mkdir(parents=True)
    for name in NAMES:
        (download / "recordings" / f"{name}.wav").touch()


def read_tsv(path: Path) -> list[list[str]]:
    content = path.read_bytes().decode("ascii")
    assert content.endswith("\n")
    assert "\r" not in content
    return [line.split("\t") for line in content.removesuffix("\n").split("\n")]


def test_layout_samples_and_rows(made: Made) -> None:
    written, result, output = made.written, made.result, made.output
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "train: 2000 rows, " in result.stderr
    assert "test_speaker: 500 rows, " in result.stderr
    assert [path.name for path in output.parent.iterdir()] == ["fsdd"], "the unfinished folder was left behind"

    five = set(SPEAKERS) - {"theo"}
    expected = {
        "train": (five, set(range(10, 50))),
        "dev": (five, set(range(5, 10))),
        "test": (five, set(range(5))),
        "test_speaker": ({"theo"}, set(range(50))),
    }
    assert {path.name for path in output.iterdir()} == {*expected, *(f"{split}.tsv" for split in expected)}
    seen = []
    for split, (speakers, indices) in expected.items():
        header, *rows = read_tsv(output / f"{split}.tsv")
        assert header == HEADER
        assert rows == sorted(rows)
        assert {row[3] for row in rows} == speakers
        assert {int(row[4]) for row in rows} == indices
        assert len(rows) == 10 * len(speakers) * len(indices)
        for path, digit, text, speaker, index, samples in rows:
            name = f"{digit}_{speaker}_{index}"
            assert path == f"{split}/{name}.flac"
            assert text == WORDS[int(digit)]
            assert int(samples) == len(written[name])
            read, sample_rate = soundfile.read(output / path, dtype="int16")
            assert sample_rate == 8_000
            assert np.array_equal(read, written[name])
            seen.append(name)
        assert {path.name for path in (output / split).iterdir()} == {row[0].split("/")[1] for row in rows}
    assert sorted(seen) == sorted(NAMES)
    info = soundfile.info(output / "dev" / "0_george_5.flac")
    assert (info.format, info.subtype) == ("FLAC", "PCM_16")


def test_missing_and_unknown_recordings_are_counted(prepare: Run, tmp_path: Path) -> None:
    empty_download(tmp_path / "download")
    recordings = tmp_path / "download" / "recordings"
    for index in range(7):
        (recordings / f"3_lucas_{index}.wav").unlink()
    (recordings / "3_newcomer_0.wav").touch()
    (recordings / "3_george_50.wav").touch()

    result = prepare(tmp_path / "download", tmp_path / "out")

    assert result.returncode == 1
    assert "7 of 3000 missing: 3_lucas_0.wav, " in result.stderr
    assert "3_lucas_4.wav and 2 more" in result.stderr
    assert "2 that belong to no split: 3_george_50.wav, 3_newcomer_0.wav" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["download"]


def test_broken_recordings_are_counted_and_leave_nothing(prepare: Run, tmp_path: Path) -> None:
    empty_download(tmp_path / "download")
    soundfile.write(tmp_path / "download" / "recordings" / "0_george_10.wav", np.zeros(9), 16_000, subtype="PCM_16")

    result = prepare(tmp_path / "download", tmp_path / "out")

    assert result.returncode == 1
    assert "3000 recording(s) can't be used" in result.stderr
    assert "0_george_10.wav: 16000 Hz, 1 channel(s), PCM_16, where 8000 Hz" in result.stderr
    assert "0_george_11.wav: not readable as audio" in result.stderr
    assert "and 2995 more" in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["download"]


def test_folders_that_are_not_right(prepare: Run, tmp_path: Path) -> None:
    result = prepare(tmp_path / "nowhere", tmp_path / "out")
    assert result.returncode == 1
    assert f"{tmp_path / 'nowhere' / 'recordings'}: no such folder" in result.stderr

    empty_download(tmp_path / "download")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    result = prepare(tmp_path / "download", tmp_path / "out")
    assert result.returncode == 1
    assert "is not empty (it holds mine.txt)" in result.stderr
    assert (tmp_path / "out" / "mine.txt").exists()


def test_help_and_wrong_usage() -> None:
    result = in_a_process("-h")
    assert result.returncode == 0
    for expected in (
        "https://github.com/Jakobovski/free-spoken-digit-dataset",
        "Attribution-ShareAlike 4.0",
        "python tools/prepare_fsdd.py downloads/fsdd data/fsdd",
    ):
        assert expected in result.stdout
    assert in_a_process().returncode == 2


def test_the_rules_give_the_real_train_and_dev(made: Made) -> None:
    if not (real := real_folder()):
        pytest.skip("SEQPIPE_DATA names no folder with fsdd/train.tsv: no prepared data set to compare with")
    assert set(made.written) == set(NAMES)
    for split in ("train", "dev"):
        assert (made.output / f"{split}.tsv").read_bytes() == (real / f"{split}.tsv").read_bytes()
