import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from seqpipe.checks.check import check
from seqpipe.config.recipe import DataConfig, load_recipe
from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.data.spans import shorter_than_read, unread_spans
from seqpipe.errors import ConfigError, DataError
from seqpipe.features.speech.waveform import Waveform

Read = Callable[..., list[Row]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def rows(*records: dict[str, Any], **config: Any) -> list[Row]:
        lines = (json.dumps({"path": "a.wav", "text": "x"} | record) for record in records)
        (tmp_path / "rows.jsonl").write_text("\n".join(lines))
        return list(read_rows("rows.jsonl", DataConfig(**config), suffixes=AUDIO_SUFFIXES, root=tmp_path))

    return rows


def test_a_nemo_manifest_is_parts_of_recordings(tmp_path: Path) -> None:
    samples = np.arange(40_000, dtype=np.float32) / 65_536
    soundfile.write(tmp_path / "call.wav", samples, 8_000, subtype="FLOAT")
    rows = [
        {"audio_filepath": "call.wav", "text": "one", "offset": 0.5, "duration": 1.25},
        {"audio_filepath": "call.wav", "text": "two", "duration": 2},  # NeMo leaves an offset of 0 out
        {"audio_filepath": "call.wav", "text": "three", "offset": 4.0, "duration": None},
    ]
    (tmp_path / "train.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = DataConfig(input="audio_filepath", start="offset", duration="duration")
    found = list(read_rows("train.json", config, suffixes=AUDIO_SUFFIXES, root=tmp_path))
    path = tmp_path / "call.wav"
    assert [row.input for row in found] == [FileSpan(path, 0.5, 1.75), FileSpan(path, 0, 2), FileSpan(path, 4)]
    reader = Waveform(sample_rate=8_000)
    parts = [reader.prepare(row.input, None).numpy() for row in found]
    for part, (start, stop) in zip(parts, [(4_000, 14_000), (0, 16_000), (32_000, 40_000)], strict=True):
        np.testing.assert_array_equal(part, samples[start:stop])


@pytest.mark.parametrize("end", [-1, -1.0, "-1", None, ""])
@pytest.mark.parametrize("key", ["end", "duration"])
def test_minus_one_and_nothing_are_the_end_of_the_file(key: str, end: object, read: Read) -> None:
    (row,) = read({"from": 1.5, key: end}, start="from", **{key: key})
    assert (row.problem, row.input.start, row.input.end) == (None, 1.5, None)


@pytest.mark.parametrize("bad", [-2, -0.5, "x", "1,5", [1], True])
@pytest.mark.parametrize("key", ["end", "duration"])
def test_other_ends_are_refused_by_name(key: str, bad: object, read: Read) -> None:
    (row,) = read({"from": 1.5, "to": bad}, start="from", **{key: "to"})
    said = f"to should be seconds, at least 0; received {bad!r} (-1 is the end of the file)"
    assert (str(row.problem), row.input) == (said, None)


def test_a_span_ends_by_one_column_alone() -> None:
    with pytest.raises((ConfigError, ValueError), match="end and duration both say where a span ends"):
        DataConfig(end="to", duration="dur")


def test_a_column_that_the_first_row_lacks_is_missing(read: Read) -> None:
    with pytest.raises(DataError, match=r"row 1: has no column ofset \(data\.start\); did you mean offset\?"):
        read({"offset": 1}, start="ofset")


@pytest.mark.parametrize(
    ("columns", "config", "said"),
    [
        (
            {"start": 0, "end": 1},
            {},
            "has columns start and end, and the recipe names no data.start and data.end, so whole files are read",
        ),
        (
            {"offset": 0, "duration": 1},
            {},
            "has columns offset and duration, and the recipe names no data.start and data.duration, so whole files are "
            "read",
        ),
        ({"end_time": 1}, {}, "has a column end_time, and the recipe names no data.end, so whole files are read"),
        (
            {"offset": 0, "duration": 1},
            {"start": "offset"},
            "has a column duration, and the recipe names no data.duration, so files are read from the start to their "
            "end",
        ),
        ({"duration": 1}, {}, None),
        ({"offset": 0, "duration": 1}, {"start": "offset", "duration": "duration"}, None),
        ({"start": 0, "end": 1}, {"end": "end"}, None),
        ({}, {}, None),
    ],
)
def test_columns_of_spans_that_are_not_read_are_told(
    columns: dict[str, Any], config: dict[str, str], said: str | None, read: Read
) -> None:
    (row,) = read(columns, **config)
    assert unread_spans(row, DataConfig(**config)) == said


@pytest.mark.parametrize(
    ("stated", "read_seconds", "is_told"),
    [(2, 8.5, True), ("2.0", 8.5, True), (8.45, 8.5, False), (9, 8.5, False), (0, 8.5, False), ("long", 8.5, False)],
)
def test_a_duration_below_that_of_the_recording_is_told(
    stated: object, read_seconds: float, is_told: bool, read: Read
) -> None:
    (row,) = read({"duration": stated})
    said = shorter_than_read(row, read_seconds, DataConfig())
    assert (said is not None) == is_told
    assert said is None or "the column duration says 2 s, and 8.50 s are read" in said
    assert shorter_than_read(row, read_seconds, DataConfig(duration="duration")) is None


def test_check_tells_of_a_duration_that_is_not_read(tone_data: Path, tmp_path: Path) -> None:
    recipe = load_recipe(tone_data / "tones.yaml")
    lines = (tone_data / "dev.tsv").read_text().splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    short = [row | {"path": str(tone_data / row["path"]), "duration": 0.02} for row in rows]
    manifest = tmp_path / "durations.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in short))
    (findings,) = check(recipe, str(manifest)).values()
    assert [kind for _, kind, _ in findings.warnings].count("spans not read") == len(rows)
