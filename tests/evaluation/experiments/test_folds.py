import datetime
import json
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES, IMAGE_SUFFIXES, Suffixes
from seqpipe.data.pages.line import PageLine
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.experiments.folds import Fold, FoldManifests, divide


def rows_of(speakers: list[str], words: list[str]) -> list[Row]:
    return [
        Row(str(number), None, word, number, "all.tsv", {"speaker": speaker, "word": word, "sex": "f"})
        for number, (speaker, word) in enumerate(zip(speakers, words, strict=True), 1)
    ]


ROWS = rows_of([f"s{index % 6}" for index in range(60)], ["on", "on", "off"] * 20)

options = st.fixed_dictionaries(
    {"group": st.sampled_from([None, "speaker"]), "stratify": st.sampled_from([None, "", "word"])}
)


@settings(max_examples=15)
@given(options, st.integers(2, 6), st.integers(0, 2**31 - 1))
def test_every_row_is_held_out_once_and_never_trained_on_in_that_fold(
    chosen: dict[str, Any], folds: int, seed: int
) -> None:
    made = divide(ROWS, folds, seed=seed, **chosen)
    assert len(made) == folds
    assert sorted(position for fold in made for position in fold.held_out) == list(range(60))
    for fold in made:
        assert sorted(fold.train + fold.held_out) == list(range(60))
        if chosen["group"]:
            speakers = {ROWS[position].columns["speaker"] for position in fold.held_out}
            assert sorted(speakers) == fold.groups
            assert not speakers & {ROWS[position].columns["speaker"] for position in fold.train}
        elif chosen["stratify"] is not None:
            share = Counter(ROWS[position].target for position in fold.held_out)["on"] / len(fold.held_out)
            assert share == pytest.approx(2 / 3, abs=0.1)
    assert made == divide(ROWS, folds, seed=seed, **chosen)


def test_as_many_folds_as_groups_leave_one_out_each() -> None:
    assert [fold.groups for fold in divide(ROWS, 6, group="speaker")] == [[f"s{index}"] for index in range(6)]


def test_another_seed_divides_otherwise() -> None:
    assert divide(ROWS, 3, seed=1) != divide(ROWS, 3, seed=2)


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"folds": 1}, ConfigError, r"--folds should be at least 2; received 1"),
    ({"folds": 61}, ConfigError, r"--folds 61: there are only 60 rows"),
    ({"folds": 7, "group": "speaker"}, ConfigError, r"the column speaker has only 6 groups \(s0, s1, .*s5\)"),
    ({"folds": 3, "group": "speakr"}, DataError, r"all\.tsv, row 1 .*has no column speakr .*did you mean speaker\?"),
    ({"folds": 3, "stratify": "wrd"}, DataError, r"has no column wrd \(--stratify\); did you mean word\?"),
    ({"folds": 25, "stratify": ""}, ConfigError, r"fewer rows than folds .*: 'off' \(20\); --stratify COLUMN"),
]


@pytest.mark.parametrize(("chosen", "kind", "message"), MISTAKES, ids=[str(chosen) for chosen, _, _ in MISTAKES])
def test_what_can_not_be_divided_is_told(chosen: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        divide(ROWS, **chosen)


def test_classes_that_leave_a_fold_without_groups_are_told() -> None:
    rows = rows_of(["a"] * 20 + ["b"] * 2 + ["c"] * 2, ["on", "off"] * 12)
    try:
        made = divide(rows, 3, group="speaker", stratify="")
    except ConfigError as error:
        assert "no groups are left for fold" in str(error)  # noqa: PT017
    else:
        assert all(fold.held_out for fold in made)


def test_whole_numbers_are_the_same_groups_and_classes_whatever_their_type() -> None:
    def divided(values: list[Any]) -> list[Fold]:
        rows = [Row(str(n), None, values[n % 2], n, "s", {"speaker": values[n % 3]}) for n in range(12)]
        return divide(rows, 3, group="speaker", stratify="")

    assert divided([0.0, 1.0, Decimal("2.00")]) == divided(["0", "1", "2"]) == divided([0, 1, 2])
    with pytest.raises(DataError, match="the target is empty"):
        divide([Row("a", None, math.nan), Row("b", None, 1.0)], 2, stratify="")


def test_a_row_without_a_group_is_named() -> None:
    rows = rows_of(["a", "b", ""], ["on"] * 3)
    with pytest.raises(DataError, match=r"all\.tsv, row 3 \(3\): the column speaker is empty \(--group\)"):
        divide(rows, 2, group="speaker")


# Manifests

PAGES = Path(__file__).resolve().parents[2] / "data" / "pages" / "examples"


def again(rows: list[Row], config: DataConfig, folder: Path, suffixes: Suffixes = AUDIO_SUFFIXES) -> list[Row]:
    """The rows as their manifest gives them back, from a folder of its own."""
    manifests = FoldManifests(rows, config, folder, suffixes=suffixes)
    made = divide(rows, 2)
    read = manifests.write(1, made[0])
    assert read.train is not None
    assert read.dev is not None
    parts = [
        list(read_rows(part, read, suffixes=suffixes, root=Path(str(read.root)))) for part in (read.train, read.dev)
    ]
    by_place = dict(zip(made[0].train + made[0].held_out, parts[0] + parts[1], strict=True))
    return [by_place[position] for position in range(len(rows))]


def same(rows: list[Row], others: list[Row]) -> bool:
    return [(row.id, row.input, row.target) for row in rows] == [(row.id, row.input, row.target) for row in others]


@pytest.mark.parametrize("named", ["name", "path", None])
def test_rows_of_a_manifest_keep_their_ids_inputs_and_columns(
    named: str | None, tone_data: Path, tmp_path: Path
) -> None:
    config = DataConfig(root=str(tone_data), id=named)
    rows = list(read_rows("few.tsv", config, suffixes=AUDIO_SUFFIXES, root=tone_data))
    back = again(rows, config, tmp_path / "folds")
    assert same(rows, back)
    assert all(row.columns["name"] == other.columns["name"] for row, other in zip(rows, back, strict=True))


def test_parts_of_longer_files_stay_parts(tone_data: Path, tmp_path: Path) -> None:
    lines = [
        {"path": str(tone_data / "train/000.wav"), "text": "a", "from": start, "to": start + 0.1, "id": "taken"}
        for start in (0.0, 0.1, 0.2)
    ]
    (tmp_path / "parts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = DataConfig(start="from", end="to")
    rows = list(read_rows("parts.jsonl", config, suffixes=AUDIO_SUFFIXES, root=tmp_path))
    assert len({row.id for row in rows}) == 3
    assert same(rows, again(rows, config, tmp_path / "folds"))


def test_a_folder_of_recordings_and_a_data_set_of_bytes_become_manifests(tone_data: Path, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    sound = (tone_data / "train/000.wav").read_bytes()
    for name in "abc":
        (tmp_path / f"{name}.wav").write_bytes(sound)
        (tmp_path / f"{name}.txt").write_text(name)
    folder = list(read_rows(str(tmp_path), DataConfig(), suffixes=AUDIO_SUFFIXES))
    assert same(folder, again(folder, DataConfig(), tmp_path / "one"))

    table = pyarrow.table({"path": [{"bytes": sound, "path": None}] * 3, "text": ["a", "b", "c"]})
    pyarrow.parquet.write_table(table, tmp_path / "bytes.parquet")
    held = list(read_rows("bytes.parquet", DataConfig(), suffixes=AUDIO_SUFFIXES, root=tmp_path))
    back = again(held, DataConfig(), tmp_path / "two")
    assert [row.id for row in back] == [row.id for row in held] == ["1", "2", "3"]
    assert all(row.input.source.read_bytes() == sound for row in back)


@pytest.mark.parametrize("named", ["path", None])
def test_lines_of_pages_come_back_from_manifests(named: str | None, tmp_path: Path) -> None:
    (tmp_path / "alto4.xml").write_bytes((PAGES / "alto4.xml").read_bytes())
    (tmp_path / "scan.png").write_bytes(b"looked for, not read")
    config = DataConfig(format="pages", id=named)
    rows = list(read_rows("alto4.xml", config, suffixes=IMAGE_SUFFIXES, root=tmp_path))
    back = again(rows, config, tmp_path / "folds", IMAGE_SUFFIXES)
    assert len(rows) == 2
    assert same(rows, back)
    assert [row.columns["line"] for row in back] == ["l1", "l2"]


def test_a_line_of_a_page_that_is_none_is_a_problem_of_its_row(tmp_path: Path) -> None:
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    line = PageLine(tmp_path / "a.png", ((0.0, 1.0),), corners, "l", tmp_path / "a.xml", (2.0, 3.0)).record()
    broken = [{**line, "polygon": [[1]]}, {**line, "size": [1]}, {"polygon": []}, {**line, "baseline": 3}]
    lines = [json.dumps({"path": one, "text": "a"}) + "\n" for one in [line, *broken]]
    (tmp_path / "lines.jsonl").write_text("".join(lines))
    good, *bad = read_rows("lines.jsonl", DataConfig(), suffixes=IMAGE_SUFFIXES, root=tmp_path)
    assert good.problem is None
    assert isinstance(good.input, PageLine)
    assert good.input.record() == line
    assert ["no record of a page's line" in str(row.problem) for row in bad] == [True] * 4


def test_what_json_can_not_hold_is_refused_and_dates_become_text(tone_data: Path, tmp_path: Path) -> None:
    rows = list(read_rows("few.tsv", DataConfig(), suffixes=AUDIO_SUFFIXES, root=tone_data))[:2]
    dated = [
        Row(row.id, row.input, row.target, 1, "s", {**row.columns, "on": datetime.date(2026, 1, 2)}) for row in rows
    ]
    assert [row.columns["on"] for row in again(dated, DataConfig(), tmp_path / "one")] == ["2026-01-02"] * 2
    prices = [Row(row.id, row.input, Decimal("4.00"), 1, "s", row.columns) for row in rows]
    assert [row.target for row in again(prices, DataConfig(), tmp_path / "prices")] == ["4"] * 2
    odd = [Row(row.id, row.input, row.target, 1, "s", {**row.columns, "picture": b"x"}) for row in rows]
    with pytest.raises(DataError, match=r"s, row 1 .*: a column holds bytes, so it can't stand in the manifest"):
        again(odd, DataConfig(), tmp_path / "two")
