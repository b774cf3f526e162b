"""tools/prepare_kerstin.py, on made-up downloads of the public layout."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_kerstin.py"
Run = Callable[..., subprocess.CompletedProcess[str]]
HEADER = ["path", "utt_id", "samples", "text"]


def read_tsv(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text("utf-8").split("\n") if line]


def write_download(folder: Path, sentences: list[str], *, rate: int = 48_000) -> Path:
    """A tone of 0.1 s for each sentence; the second has a file of 1,000 hertz, below either rate's limit."""
    (folder / "verified").mkdir(parents=True)
    lines = []
    for number, sentence in enumerate(sentences):
        tone = 0.5 * np.sin(2 * np.pi * (500 + 500 * number) * np.arange(rate // 10) / rate)
        soundfile.write(folder / "verified" / f"de_{number:04}.flac", tone, rate, subtype="PCM_16")
        lines.append(f"de_{number:04}|{sentence}\n")
    (folder / "metadata.csv").write_text("".join(lines), "utf-8")
    return folder


def test_sentences_are_dealt_out_by_what_they_say_and_tones_stay_tones(prepare: Run, tmp_path: Path) -> None:
    sentences = [f"Satz Nummer {number} heißt so." for number in range(40)]
    sentences.append("Satz  Nummer 7 heißt so.")  # again, but for a space
    result = prepare(write_download(tmp_path / "download", sentences), tmp_path / "out")
    assert result.returncode == 0, result.stderr
    parts = {split: read_tsv(tmp_path / "out" / f"{split}.tsv") for split in ("train", "dev", "test")}
    assert [part[0] for part in parts.values()] == [HEADER] * 3
    rows = {row[1]: (split, row) for split, part in parts.items() for row in part[1:]}
    assert len(rows) == 41
    assert rows["de_0007"][0] == rows["de_0040"][0], "one sentence is in two splits"
    split, (path, _, samples, text) = rows["de_0001"]
    assert (samples, text) == ("1600", "Satz Nummer 1 heißt so.")
    heard, rate = soundfile.read(tmp_path / "out" / path)
    assert rate == 16_000
    assert path.startswith(f"{split}/")
    wanted = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(1600) / 16_000)
    np.testing.assert_allclose(heard[100:-100], wanted[100:-100], atol=0.002)


@pytest.mark.skipif(
    not (Path(os.environ.get("SEQPIPE_DATA", "/nowhere")) / "kerstin_de" / "train.tsv").is_file(),
    reason="needs SEQPIPE_DATA with kerstin_de",
)
def test_the_rule_gives_the_splits_of_the_prepared_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    from prepare_kerstin import split_of

    for split in ("train", "dev"):
        rows = read_tsv(Path(os.environ["SEQPIPE_DATA"]) / "kerstin_de" / f"{split}.tsv")[1:]
        assert {split_of(row[-1]) for row in rows} == {split}


def test_what_is_missing_or_of_another_rate_is_named_and_nothing_is_left(prepare: Run, tmp_path: Path) -> None:
    download = write_download(tmp_path / "missing", ["Eins.", "Zwei."])
    (download / "verified" / "de_0001.flac").unlink()
    result = prepare(download, tmp_path / "out")
    assert result.returncode == 1
    assert "1 of 2 recordings are missing: de_0001.flac" in result.stderr
    result = prepare(write_download(tmp_path / "slow", ["Eins."], rate=22_050), tmp_path / "out")
    assert result.returncode == 1
    assert "22050 Hz, 1 channel(s), where 48000 Hz" in result.stderr
    (download / "metadata.csv").write_text("de_0000 Eins.\n", "utf-8")
    result = prepare(download, tmp_path / "out")
    assert "metadata.csv, line 1: 'de_0000 Eins.' is not ID|SENTENCE" in result.stderr
    assert not (tmp_path / "out").exists()
