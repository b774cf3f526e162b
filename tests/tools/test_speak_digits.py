"""tools/speak_digits.py, run as a user runs it."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("espeakng_loader", reason="espeakng-loader (extra demo) isn't installed")

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "speak_digits.py"
WORDS = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}


def speak(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "digits.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken") / "out"
    result = speak(folder, "--count", 40)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_table_names_each_recording_and_what_is_said(spoken: Path) -> None:
    rows = table(spoken)
    assert len(rows) == 40
    assert {row["text"] for row in rows} == WORDS
    assert len({row["speaker"] for row in rows}) > 20
    for row in rows:
        samples, rate = soundfile.read(spoken / row["path"], dtype="int16")
        assert (rate, len(samples)) == (8000, int(row["samples"]))
        assert 0.1 < len(samples) / rate < 1.5
        assert np.abs(samples.astype(int)).max() == 16384


def test_no_silence_in_front_or_behind(spoken: Path) -> None:
    for row in table(spoken):
        samples = np.abs(soundfile.read(spoken / row["path"], dtype="int16")[0].astype(int))
        assert min(samples[0], samples[-1]) >= 0.009 * samples.max()


def test_a_recording_depends_on_its_number_alone(spoken: Path, tmp_path: Path) -> None:
    assert speak(tmp_path / "few", "--count", 3).returncode == 0
    for row in table(tmp_path / "few"):
        assert (tmp_path / "few" / row["path"]).read_bytes() == (spoken / row["path"]).read_bytes()


def test_wrong_use_is_explained(spoken: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((spoken,), "is not empty"),
        ((tmp_path / "x", "--count", 0), "--count is at least 1"),
        ((tmp_path / "x", "--sample-rate", 44_100), "--sample-rate 4000 to 22050"),
    ):
        result = speak(*arguments)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
    assert not (tmp_path / "x").exists()
