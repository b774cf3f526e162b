"""Digits spoken by espeak-ng, and ``data.train_also``."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

import soundfile

from seqpipe import ConfigError, DataError
from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.source import training_rows
from seqpipe.data.starter.digits import PEAK, SAMPLE_RATE, VOICES, speak_digit, starter_digits
from seqpipe.data.starter.espeak import Espeak
from seqpipe.data.starter.speech import DIGITS


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter_digits(tmp_path_factory.mktemp("cache"), count=40)


@pytest.fixture(scope="module")
def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_digit_is_said_as_often_in_many_voices(rows: list[dict[str, str]]) -> None:
    assert [row["text"] for row in rows] == list(DIGITS) * 4
    assert len({row["voice"] for row in rows}) > 25
    high = [row["voice"].partition("+")[2] in VOICES["high"] for row in rows]
    assert 0.15 < np.mean(high) < 0.5


def test_recordings_are_those_of_the_table_without_silence_around(table: Path, rows: list[dict[str, str]]) -> None:
    for row in rows:
        samples, rate = soundfile.read(table.parent / row["path"], dtype="int16")
        level = np.abs(samples.astype(int)) / 32767
        assert rate == SAMPLE_RATE
        assert 0.1 < len(samples) / rate < 1.5
        assert level.max() == pytest.approx(PEAK, abs=1e-4)
        assert min(level[0], level[-1]) >= 0.009 * PEAK


def test_a_recording_depends_on_its_number_alone(table: Path, rows: list[dict[str, str]]) -> None:
    with Espeak() as espeak:
        for number in (17, 3):
            word, voice, samples = speak_digit(number, espeak)
            assert (word, voice) == (rows[number]["text"], rows[number]["voice"])
            kept, _ = soundfile.read(table.parent / rows[number]["path"], dtype="int16")
            np.testing.assert_array_equal(samples, kept)


def test_they_are_made_once(table: Path) -> None:
    made = table.stat().st_mtime_ns
    assert starter_digits(table.parents[1], count=40) == table
    assert table.stat().st_mtime_ns == made


class TestTrainAlso:
    def config(self, folder: Path, **options: Any) -> DataConfig:
        for name, text in (("mine", "path\ttext\na.wav\tone\nb.wav\ttwo\n"), ("more", "path\ttext\nc.wav\tthree\n")):
            (folder / f"{name}.tsv").write_text(text, encoding="utf-8")
        return DataConfig(root=str(folder), **options)

    def test_rows_of_all_sources_in_their_order(self, tmp_path: Path) -> None:
        config = self.config(tmp_path, train="mine.tsv", train_also=["more.tsv", "mine.tsv"])
        rows = list(training_rows(config, suffixes=AUDIO_SUFFIXES))
        assert [row.target for row in rows] == ["one", "two", "three", "one", "two"]
        assert rows[2].input.source == tmp_path / "c.wav"
        assert "more.tsv" in rows[2].where

    @pytest.mark.parametrize("options", [{}, {"format": "tsv", "id": "path"}, {"format": "csv", "id": "number"}])
    def test_a_source_that_is_made_here(
        self, options: dict[str, Any], tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However the recipe's own rows are kept and named."""
        monkeypatch.setenv("SEQPIPE_CACHE", str(table.parents[1]))
        (tmp_path / "own.csv").write_text("number,path,text\n1,a.wav,one\n", encoding="utf-8")
        own = "own.csv" if options.get("format") == "csv" else "mine.tsv"
        config = self.config(tmp_path, train=own, train_also=["starter:digits"], **options)
        rows = list(training_rows(config, suffixes=AUDIO_SUFFIXES))
        assert [row.target for row in rows[-40:]] == list(DIGITS) * 4
        assert rows[-1].input.source.is_file()

    def test_mistakes_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="there are no starter rows called figures; known: digits"):
            list(
                training_rows(
                    self.config(tmp_path, train="mine.tsv", train_also=["starter:figures"]), suffixes=AUDIO_SUFFIXES
                )
            )
        with pytest.raises(DataError, match=r"gone\.tsv: there is no such file"):
            list(
                training_rows(self.config(tmp_path, train="mine.tsv", train_also=["gone.tsv"]), suffixes=AUDIO_SUFFIXES)
            )
        with pytest.raises(ConfigError, match=r"data\.train is required"):
            list(training_rows(self.config(tmp_path, train_also=["more.tsv"]), suffixes=AUDIO_SUFFIXES))
