"""tools/prepare_an4.py, on made-up downloads of the public layout."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_an4.py"
HEADER = ["path", "utt_id", "speaker", "samples", "text"]
# 21 made-up speakers, listed out of order; in sorted order the 1st, 11th and 21st are dev.
SPEAKERS = [f"f{first}{second}x" for first in "gca" for second in "fbdaceg"]
DEV = {sorted(SPEAKERS)[position] for position in (0, 10, 20)}
UTTERANCES = ("an99", "an100", "cen2")
Run = Callable[..., subprocess.CompletedProcess[str]]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def speechlike(length: int, seed: int) -> np.ndarray:
    """A random walk: neighbouring samples lie close together, as those of speech do; ``[S]``."""
    steps = np.random.default_rng(seed).integers(-90, 91, length)
    return np.clip(np.cumsum(steps), -32768, 32767).astype(np.int16)


def write_audio(path: Path, samples: np.ndarray, kind: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "wav":
        soundfile.write(path.with_suffix(".wav"), samples, 16_000, subtype="PCM_16")
    elif kind == "sph":
        soundfile.write(path.with_suffix(".sph"), samples, 16_000, format="NIST", subtype="PCM_16", endian="BIG")
    else:
        samples.astype({"raw big": ">i2", "raw little": "<i2"}[kind]).tofile(path.with_suffix(".raw"))


def write_lists(download: Path, part: str, rows: list[tuple[str, str, str]]) -> None:
    """Write the control file and the transcription of one part; a row is utterance, speaker, text."""
    folder = {"train": "an4_clstk", "test": "an4test_clstk"}[part]
    etc = download / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / f"an4_{part}.fileids").write_text("".join(f"{folder}/{speaker}/{utt}\n" for utt, speaker, _ in rows))
    # With and without <s>, since the official files of the two parts need not agree.
    line = "<s> {} </s> ({})\n" if part == "train" else "{} ({})\n"
    (etc / f"an4_{part}.transcription").write_text("".join(line.format(text, utt) for utt, _, text in rows))
    (etc / "an4.dic").write_text("HALLO                HH AA L OW\n")
    (download / "LICENSE").write_text("made-up terms\n")


def make_download(download: Path, kind: str = "wav") -> dict[str, np.ndarray]:
    """Write a small download; give the samples of each utterance."""
    written = {}
    for part, folder, speakers in (("train", "an4_clstk", SPEAKERS), ("test", "an4test_clstk", ["mzzz", "fyyy"])):
        rows = [(f"{name}-{speaker}-b", speaker, f"HALLO {name[0]}") for speaker in speakers for name in UTTERANCES]
        write_lists(download, part, rows)
        for utt, speaker, _ in rows:
            written[utt] = speechlike(200 + len(written), seed=len(written))
            write_audio(download / "wav" / folder / speaker / utt, written[utt], kind)
    return written


def read_tsv(path: Path) -> list[list[str]]:
    content = path.read_bytes().decode("ascii")
    assert content.endswith("\n")
    assert "\r" not in content
    return [line.split("\t") for line in content.removesuffix("\n").split("\n")]


@pytest.mark.parametrize("kind", ["wav", "sph", "raw big", "raw little"])
def test_layout_samples_and_rows(prepare: Run, tmp_path: Path, kind: str) -> None:
    written = make_download(tmp_path / "download", kind)
    output = tmp_path / "made" / "an4"

    result = prepare(tmp_path / "download", output)

    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "train: 54 rows, " in result.stderr
    assert "note: AN4 as published gives " in result.stderr
    assert ("big-endian by their samples" in result.stderr) == (kind == "raw big")
    assert {path.name for path in output.iterdir()} == {
        "train", "dev", "test", "train.tsv", "dev.tsv", "test.tsv", "lexicon.dic", "LICENSE.txt"
    }  # fmt: skip
    assert (output / "lexicon.dic").read_text() == "HALLO                HH AA L OW\n"
    assert (output / "LICENSE.txt").read_text() == "made-up terms\n"
    assert [path.name for path in output.parent.iterdir()] == ["an4"], "the unfinished folder was left behind"

    expected = {"train": set(SPEAKERS) - DEV, "dev": DEV, "test": {"mzzz", "fyyy"}}
    seen = []
    for split, speakers in expected.items():
        header, *rows = read_tsv(output / f"{split}.tsv")
        assert header == HEADER
        assert {row[2] for row in rows} == speakers
        assert rows == sorted(rows)
        # By characters, not by number: an100 stands before an99.
        first = rows[0][2]
        assert [row[1] for row in rows[:3]] == [f"an100-{first}-b", f"an99-{first}-b", f"cen2-{first}-b"]
        for path, utt, speaker, samples, text in rows:
            assert path == f"{split}/{speaker}/{utt}.flac"
            assert text == f"HALLO {utt[0].upper()}"
            assert int(samples) == len(written[utt])
            info = soundfile.info(output / path)
            assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_16", 16_000)
            assert np.array_equal(soundfile.read(output / path, dtype="int16")[0], written[utt])
            seen.append(utt)
        assert {path.name for path in (output / split).rglob("*.flac")} == {f"{row[1]}.flac" for row in rows}
    assert sorted(seen) == sorted(written)


def test_order_of_the_lists_changes_nothing(prepare: Run, tmp_path: Path) -> None:
    make_download(tmp_path / "download")
    assert prepare(tmp_path / "download", tmp_path / "first").returncode == 0
    for path in (tmp_path / "download" / "etc").glob("an4_*"):
        path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert prepare(tmp_path / "download", tmp_path / "second").returncode == 0
    for split in ("train", "dev", "test"):
        assert (tmp_path / "first" / f"{split}.tsv").read_bytes() == (tmp_path / "second" / f"{split}.tsv").read_bytes()


def test_byte_order_that_samples_do_not_tell_is_asked_for(prepare: Run, tmp_path: Path) -> None:
    """Noise over the whole range is as rough in either byte order."""
    make_download(tmp_path / "download", "raw big")
    generator = np.random.default_rng(7)
    for path in (tmp_path / "download" / "wav").rglob("*.raw"):
        path.write_bytes(generator.bytes(400))

    result = prepare(tmp_path / "download", tmp_path / "out")
    assert result.returncode == 1
    assert "give it with --raw-byte-order big or little" in result.stderr

    for option, numpy_type in (("big", ">i2"), ("little", "<i2")):
        assert prepare(tmp_path / "download", tmp_path / option, "--raw-byte-order", option).returncode == 0
        speaker = sorted(DEV)[0]
        source = tmp_path / "download" / "wav" / "an4_clstk" / speaker / f"an99-{speaker}-b.raw"
        samples, _ = soundfile.read(tmp_path / option / "dev" / speaker / f"an99-{speaker}-b.flac", dtype="int16")
        assert np.array_equal(samples, np.fromfile(source, dtype=numpy_type))


def edit(path: Path, changes: dict[int, str]) -> None:
    """Replace lines of a list, by number from 1; an empty replacement drops the line."""
    lines = dict(enumerate(path.read_text().splitlines(), start=1)) | changes
    path.write_text("".join(f"{line}\n" for line in lines.values() if line))


def fail(prepare: Run, tmp_path: Path, *options: str) -> str:
    """Prepare what can't be prepared; give standard error. Nothing may be left behind."""
    result = prepare(tmp_path / "download", tmp_path / "out", *options)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["download"]
    return result.stderr


def test_lists_and_files_that_do_not_agree_are_counted(prepare: Run, tmp_path: Path) -> None:
    make_download(tmp_path / "download")
    first = SPEAKERS[0]
    edit(tmp_path / "download/etc/an4_train.transcription", {1: ""})
    edit(tmp_path / "download/etc/an4_test.fileids", {1: ""})
    for path in (tmp_path / "download" / "wav").rglob("cen2-*"):
        path.unlink()

    errors = fail(prepare, tmp_path)

    assert "etc/an4_train.fileids lists 63 utterances, etc/an4_train.transcription 62" in errors
    assert f"1 of etc/an4_train.fileids without transcript: an99-{first}-b\n" in errors
    assert "1 of etc/an4_test.transcription not in etc/an4_test.fileids: an99-mzzz-b\n" in errors
    assert "21 of etc/an4_train.fileids without audio file (.wav or .sph or .raw): " in errors
    assert f": wav/an4_clstk/{first}/cen2-{first}-b, " in errors
    assert "and 16 more\n" in errors
    assert "2 of etc/an4_test.fileids without audio file" in errors


def test_lines_that_are_not_as_expected_are_counted(prepare: Run, tmp_path: Path) -> None:
    make_download(tmp_path / "download")
    texts = {1: "HALLO 42 (an99-fgfx-b)", 2: "<s> </s> (an100-fgfx-b)", 3: "<s> HALLO </s>", 5: "HALLO (cen2-fgbx-b)"}
    edit(tmp_path / "download/etc/an4_train.transcription", texts)
    fileids = {1: "an4test_clstk/../an99-mzzz-b", 2: "an4test_clstk/mzzz/cen2-mzzz-b"}
    edit(tmp_path / "download/etc/an4_test.fileids", fileids)

    errors = fail(prepare, tmp_path)

    assert "4 of the lines of etc/an4_train.transcription not as expected: " in errors
    assert "line 1: expected words of letters A to Z, got 42, " in errors
    assert "line 2: utterance an100-fgfx-b has no words, " in errors
    assert "line 3: expected WORDS (UTTERANCE), got '<s> HALLO </s>', " in errors
    assert "line 6: utterance cen2-fgbx-b a second time\n" in errors
    assert "2 of the lines of etc/an4_test.fileids not as expected: " in errors
    assert "line 1: expected PART/SPEAKER/UTTERANCE, got 'an4test_clstk/../an99-mzzz-b', " in errors
    assert "line 3: utterance cen2-mzzz-b a second time\n" in errors


def test_broken_audio_is_counted(prepare: Run, tmp_path: Path) -> None:
    make_download(tmp_path / "download")
    folder = tmp_path / "download/wav/an4test_clstk"
    (folder / "mzzz/an99-mzzz-b.wav").write_bytes(b"not audio")
    soundfile.write(folder / "fyyy/cen2-fyyy-b.wav", np.zeros((9, 2)), 8_000, subtype="FLOAT")
    (folder / "mzzz/cen2-mzzz-b.wav").unlink()
    (folder / "mzzz/cen2-mzzz-b.raw").write_bytes(b"123")

    errors = fail(prepare, tmp_path, "--raw-byte-order", "big")

    assert "3 recording(s) can't be used" in errors
    assert "an99-mzzz-b.wav: not readable as audio" in errors
    assert "cen2-mzzz-b.raw: 3 bytes are no whole number of 16-bit samples" in errors
    assert "cen2-fyyy-b.wav: 8000 Hz, 2 channel(s), FLOAT, where 16000 Hz" in errors


def test_missing_lists_or_licence(prepare: Run, tmp_path: Path) -> None:
    make_download(tmp_path / "download" / "an4")
    errors = fail(prepare, tmp_path)
    assert "6 file(s) missing: etc/an4_train.fileids, " in errors
    assert f"give {tmp_path / 'download' / 'an4'}\n" in errors

    shutil.copytree(tmp_path / "download/an4/etc", tmp_path / "download/etc")
    assert "1 file(s) missing: LICENSE; give " in fail(prepare, tmp_path)


def test_output_that_exists(prepare: Run, tmp_path: Path) -> None:
    make_download(tmp_path / "download")
    (tmp_path / "empty").mkdir()
    assert prepare(tmp_path / "download", tmp_path / "empty").returncode == 0

    result = prepare(tmp_path / "download", tmp_path / "empty")  # no longer
    assert result.returncode == 1
    assert "is not empty (it holds LICENSE.txt, " in result.stderr

    result = prepare(tmp_path / "download", tmp_path / "download" / "LICENSE")
    assert result.returncode == 1
    assert "is a file" in result.stderr


def test_help_and_wrong_usage() -> None:
    result = in_a_process("-h")
    assert result.returncode == 0
    for expected in (
        "https://github.com/cmusphinx/an4",
        "BSD-style",
        "python tools/prepare_an4.py downloads/an4 data/an4",
    ):
        assert expected in result.stdout
    assert in_a_process().returncode == 2


@pytest.fixture
def real() -> Path:
    """The prepared AN4 of this machine."""
    if not (data := os.environ.get("SEQPIPE_DATA")):
        pytest.skip("SEQPIPE_DATA is not set: no prepared data sets to compare with")
    if not (Path(data) / "an4" / "train.tsv").is_file():
        pytest.skip(f"SEQPIPE_DATA={data} has no an4/train.tsv to compare with")
    return Path(data) / "an4"


def test_the_rules_give_the_real_train_and_dev(prepare: Run, tmp_path: Path, real: Path) -> None:
    """Ids, speakers, transcripts and lengths of the real lists, shuffled, with silence for audio: the same TSVs."""
    rows = [row for split in ("train", "dev") for row in read_tsv(real / f"{split}.tsv")[1:]]
    random.Random(0).shuffle(rows)
    download = tmp_path / "download"
    write_lists(download, "train", [(utt, speaker, text) for _, utt, speaker, _, text in rows])
    for _, utt, speaker, samples, _ in rows:
        write_audio(download / "wav" / "an4_clstk" / speaker / utt, np.zeros(int(samples), dtype=np.int16), "wav")
    write_lists(download, "test", [("an1-mzzz-b", "mzzz", "HALLO")])
    write_audio(download / "wav" / "an4test_clstk" / "mzzz" / "an1-mzzz-b", speechlike(9, seed=0), "wav")

    result = prepare(download, tmp_path / "out")
    shutil.rmtree(download)  # 85 MB, which pytest would keep

    assert result.returncode == 0, result.stderr
    for split in ("train", "dev"):
        assert (tmp_path / "out" / f"{split}.tsv").read_bytes() == (real / f"{split}.tsv").read_bytes()


@pytest.mark.parametrize("byte_order", ["big", "little"])
def test_byte_order_of_real_speech_is_told(prepare: Run, tmp_path: Path, real: Path, byte_order: str) -> None:
    rows = read_tsv(real / "dev.tsv")[1:11]
    download = tmp_path / "download"
    write_lists(download, "train", [(utt, speaker, text) for _, utt, speaker, _, text in rows])
    write_lists(download, "test", [("an1-mzzz-b", "mzzz", "HALLO")])
    write_audio(download / "wav" / "an4test_clstk" / "mzzz" / "an1-mzzz-b", speechlike(9, seed=0), "wav")
    for path, utt, speaker, _, _ in rows:
        samples, _ = soundfile.read(real / path, dtype="int16")
        write_audio(download / "wav" / "an4_clstk" / speaker / utt, samples, f"raw {byte_order}")

    result = prepare(download, tmp_path / "out")

    assert result.returncode == 0, result.stderr
    assert f"10 .raw files: {byte_order}-endian" in result.stderr
    for path, utt, *_ in rows:
        (made,) = (tmp_path / "out").rglob(f"{utt}.flac")
        expected, _ = soundfile.read(real / path, dtype="int16")
        assert np.array_equal(soundfile.read(made, dtype="int16")[0], expected)
