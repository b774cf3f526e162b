import json
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile

from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import DataError
from seqpipe.features.speech.waveform import Waveform

SPLITS = {"train": ["one", "two", "three"], "validation": ["four"]}
CONFIG = DataConfig(input="audio", target="sentence")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` makes of opened files goes with the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Path]:
    """A recording for each text, as many samples long as the text has letters times ten."""
    files = {}
    for text in [text for texts in SPLITS.values() for text in texts]:
        files[text] = tmp_path / "wav" / f"{text}.wav"
        files[text].parent.mkdir(exist_ok=True)
        soundfile.write(files[text], np.linspace(-0.5, 0.5, 10 * len(text)), 8000)
    return files


@pytest.fixture
def splits(recordings: dict[str, Path]) -> datasets.DatasetDict:
    """A data set of two splits with an Audio column that `datasets` would decode."""

    def split(texts: list[str]) -> datasets.Dataset:
        columns = {"audio": [str(recordings[text]) for text in texts], "sentence": texts}
        return datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(sampling_rate=16_000))

    return datasets.DatasetDict({name: split(texts) for name, texts in SPLITS.items()})


def read(source: str) -> list[Row]:
    return list(read_rows(source, CONFIG, suffixes=AUDIO_SUFFIXES))


def lengths(rows: list[Row]) -> Iterator[int]:
    """Samples of each row: its recording is really read."""
    return (len(Waveform(sample_rate=8000).prepare(row.input, None)) for row in rows)


def test_a_saved_data_set_gives_its_rows(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits["train"].save_to_disk(str(tmp_path / "saved"))
    rows = read(f"hub:{tmp_path}/saved")
    assert [row.target for row in rows] == SPLITS["train"]
    assert [row.number for row in rows] == [1, 2, 3]
    assert list(lengths(rows)) == [10 * len(text) for text in SPLITS["train"]]


def test_recordings_saved_inside_the_data_set_are_read_without_their_files(
    recordings: dict[str, Path], tmp_path: Path
) -> None:
    audio = [{"bytes": path.read_bytes(), "path": None} for path in recordings.values()]
    saved = datasets.Dataset.from_dict({"audio": audio, "sentence": list(recordings)})
    saved = saved.cast_column("audio", datasets.Audio(sampling_rate=16_000))
    for path in recordings.values():
        path.unlink()
    (tmp_path / "data").mkdir()
    saved.to_parquet(str(tmp_path / "data" / "train.parquet"))
    saved.save_to_disk(str(tmp_path / "saved"))
    for name in ("data", "saved"):
        rows = read(f"hub:{tmp_path / name}")
        assert list(lengths(rows)) == [10 * len(row.target) for row in rows]
        assert [row.target for row in rows] == list(recordings)


def test_splits_of_a_saved_data_set_are_named(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits.save_to_disk(str(tmp_path / "saved"))
    assert [row.target for row in read(f"hub:{tmp_path}/saved@validation")] == SPLITS["validation"]
    assert [row.target for row in read(f"hub:{tmp_path}/saved")] == SPLITS["train"]
    with pytest.raises(DataError, match=r"has no split test; it has train, validation"):
        read(f"hub:{tmp_path}/saved@test")


def test_a_folder_of_data_files_is_opened_too(recordings: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lines = [json.dumps({"audio": str(path), "sentence": text}) for text, path in recordings.items()]
    (tmp_path / "data" / "train.jsonl").write_text("\n".join(lines) + "\n")
    assert [row.target for row in read(f"hub:{tmp_path}/data")] == list(recordings)
    with pytest.raises(DataError, match=r"has no split dev; it has train"):
        read(f"hub:{tmp_path}/data@dev")


def test_a_data_set_beside_the_recipe_is_found_under_its_root(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits.save_to_disk(str(tmp_path / "saved"))
    rows = list(read_rows("hub:saved@validation", CONFIG, suffixes=AUDIO_SUFFIXES, root=tmp_path))
    assert [row.target for row in rows] == SPLITS["validation"]


def test_format_hub_reads_a_name_without_prefix(splits: datasets.DatasetDict, tmp_path: Path) -> None:
    splits.save_to_disk(str(tmp_path / "saved"))
    config = CONFIG.model_copy(update={"format": "hub"})
    rows = list(read_rows("saved", config, suffixes=AUDIO_SUFFIXES, root=tmp_path))
    assert [row.target for row in rows] == SPLITS["train"]


def test_a_missing_or_broken_data_set_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nobody/nothing: can't be opened"):
        read("hub:nobody/nothing")  # offline: see conftest
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: can't be opened"):
        read(f"hub:{tmp_path}/empty")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=r"data: can't be opened"):
        read(f"hub:{tmp_path}/data")
