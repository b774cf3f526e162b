import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from seqpipe.checks.check import check
from seqpipe.config.recipe import load_recipe
from seqpipe.errors import DataError

TrainTones = Callable[..., dict[str, Any]]

BAD = {
    "gone": "missing",
    "text": "undecodable",
    "zero": "empty",
    "long": "too short for its label",
}


@pytest.fixture
def mixed(tone_data: Path, tmp_path: Path) -> Path:
    """A folder with 16 good rows (those of dev) and four bad ones."""
    folder = tmp_path / "mixed"
    shutil.copytree(tone_data / "dev", folder / "dev")
    lines = (tone_data / "dev.tsv").read_text().splitlines()
    (folder / "text.wav").write_text("this is text")
    (folder / "zero.wav").write_bytes(b"")
    lines += ["gone.wav\tgone\ta", "text.wav\ttext\tb", "zero.wav\tzero\tc", "dev/000.wav\tlong\t" + "abc" * 200]
    lines[3:3] = [lines.pop()]  # the bad ones needn't stand together
    (folder / "rows.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_bad_rows_past_the_share_end_training_with_a_list_of_them(
    mixed: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        train_tones(tmp_path / "run", f"data.train={mixed}/rows.tsv", "data.max_bad_share=0.19")
    said = str(caught.value)
    assert "4 of 20 rows (20 %) can't be used; data.max_bad_share allows 19 %" in said
    for name, kind in BAD.items():
        assert f"{kind}: 1 of 20 rows" in said
        assert f"({name}): " in said
    assert "rows.tsv, row 3 (long): its label needs 600 steps" in said
    assert not any((tmp_path / "run").iterdir())


def test_bad_rows_below_the_share_are_named_and_left_out(mixed: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    notices: list[str] = []
    overrides = [f"data.train={mixed}/rows.tsv", "data.max_bad_share=0.2", "training.epochs=1"]
    metrics = train_tones(tmp_path / "run", *overrides, notices=notices)
    assert metrics["rows"] == {"train": 16, "dev": 16, "failed": 0}
    for name in BAD:
        assert any(f"({name}): " in notice for notice in notices)


def test_a_label_has_to_fit_at_the_fastest_speed(mixed: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    """Whatever is drawn later: a row that fits today and not tomorrow would end training at night."""
    frames = 1 + soundfile.info(mixed / "dev/000.wav").frames // 160
    header, row = (mixed / "rows.tsv").read_text().splitlines()[:2]
    label = ("abc" * frames)[:frames]
    (mixed / "one.tsv").write_text(f"{header}\n{row}\n{row}\n{row.rpartition(chr(9))[0]}\t{label}\n")
    one = [f"data.train={mixed}/one.tsv", "training.epochs=1"]
    train_tones(tmp_path / "fits", *one)
    faster = "pipeline.features.1={stage: SpeedPerturbation, factors: [0.9, 1.0, 1.1]}"
    with pytest.raises(DataError, match=r"too short for its label: 1 of 3 rows"):
        train_tones(tmp_path / "run", *one, faster)


@pytest.fixture
def broken_inside(mixed: Path) -> Path:
    """A row whose header is fine, and whose samples can't be decoded: headers don't show it, training does."""
    noise = np.random.default_rng(0).uniform(-1, 1, 8000)
    soundfile.write(mixed / "whole.flac", noise, 8000)
    content = (mixed / "whole.flac").read_bytes()
    (mixed / "half.flac").write_bytes(content[: len(content) // 2])
    good = (mixed.parent / "mixed" / "rows.tsv").read_text().splitlines()
    lines = [line for line in good if line.split("\t")[1] not in BAD]
    (mixed / "inside.tsv").write_text("\n".join([*lines, "half.flac\thalf\tabc"]) + "\n")
    return mixed / "inside.tsv"


def test_a_row_that_breaks_while_training_counts_as_bad_too(
    broken_inside: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    options = [f"data.train={broken_inside}", "data.check=headers"]
    with pytest.raises(
        DataError, match=r"row 17 \(half\): .*half\.flac.*data\.max_bad_share allows no further bad row"
    ):
        train_tones(tmp_path / "strict", *options)
    notices: list[str] = []
    metrics = train_tones(tmp_path / "run", *options, "data.max_bad_share=0.1", notices=notices)
    assert metrics["rows"] == {"train": 17, "dev": 16, "failed": 1}
    assert [notice for notice in notices if "half.flac" in notice and notice.startswith("left out: ")] == notices[:1]


def test_a_row_that_is_broken_inside_is_found_before_training(
    broken_inside: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"1 of 17 rows \(5\.9 %\) can't be used(.|\n)*row 17 \(half\): .*half\.flac"):
        train_tones(tmp_path / "strict", f"data.train={broken_inside}")
    assert not any((tmp_path / "strict").iterdir())
    notices: list[str] = []
    metrics = train_tones(tmp_path / "run", f"data.train={broken_inside}", "data.max_bad_share=0.1", notices=notices)
    assert metrics["rows"] == {"train": 16, "dev": 16, "failed": 0}
    assert any("left out of training: " in notice and "(half)" in notice for notice in notices)


def test_suspicious_rows_are_used_and_told(mixed: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    lines = (mixed / "rows.tsv").read_text().splitlines()
    good = [line for line in lines if line.split("\t")[1] not in BAD]
    soundfile.write(mixed / "zero.wav", np.zeros(8000), 8000)
    (mixed / "odd.tsv").write_text("\n".join([*good, "zero.wav\tsilence\tab"]) + "\n")
    notices: list[str] = []
    metrics = train_tones(tmp_path / "run", f"data.train={mixed}/odd.tsv", "training.epochs=1", notices=notices)
    assert metrics["rows"]["train"] == 17
    assert "warning: train: silent: 1 of 17 rows" in notices
    assert any("row 17 (silence)" in notice for notice in notices)
    # All the other rows are those of dev: counted, and the first ones named.
    assert "warning: dev: in train too: 16 of 16 rows" in notices
    assert "warning: dev:   and 13 more" in notices


def test_how_closely_rows_are_looked_at_changes_no_weight(
    train_tones: TrainTones, same_weights: Callable[[Path, Path], bool], tmp_path: Path
) -> None:
    for how in ("full", "headers"):
        train_tones(tmp_path / how, f"data.check={how}", "training.epochs=1")
    assert same_weights(tmp_path / "full", tmp_path / "headers")


def test_a_row_that_trimming_leaves_too_short_counts_as_bad(
    tone_data: Path, train_tones: TrainTones, tmp_path: Path
) -> None:
    """Its header promises two seconds, of which a tenth is no silence."""
    folder = tmp_path / "quiet"
    shutil.copytree(tone_data / "dev", folder / "dev")
    samples = np.zeros(16000)
    samples[8000:8800] = np.sin(np.arange(800) * 0.5)
    soundfile.write(folder / "quiet.wav", samples, 8000)
    lines = (tone_data / "dev.tsv").read_text().splitlines()
    (folder / "rows.tsv").write_text("\n".join([*lines, "quiet.wav\tquiet\t" + "abc" * 20]) + "\n")
    notices: list[str] = []
    options = [f"data.train={folder}/rows.tsv", "pipeline.features.1={stage: TrimSilence}", "training.epochs=2"]
    with pytest.raises(DataError, match=r"row 17 \(quiet\): its label needs 60 steps"):
        train_tones(tmp_path / "strict", *options)
    options += ["data.max_bad_share=0.1", f"data.dev={folder}/rows.tsv", "training.batch_steps=100000"]
    metrics = train_tones(tmp_path / "run", *options, notices=notices)
    assert metrics["rows"] == {"train": 17, "dev": 17, "failed": 1}
    (notice,) = [notice for notice in notices if notice.startswith("left out: ")]
    assert "(quiet)" in notice
    assert metrics["dev"]["loss"] > 0  # of the other rows of its batch, which is all of dev


def test_a_dev_text_that_can_not_be_spelt_is_a_notice(mixed: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    lines = (mixed / "rows.tsv").read_text().splitlines()
    good = [line for line in lines if line.split("\t")[1] not in BAD]
    path, name, _ = good[1].split("\t")
    (mixed / "dev.tsv").write_text("\n".join([good[0], f"{path}\t{name}\tabc xyz", *good[2:]]) + "\n")
    notices: list[str] = []
    metrics = train_tones(tmp_path / "run", f"data.dev={mixed}/dev.tsv", notices=notices)
    assert metrics["dev"]["wer"] > 0
    assert len(notices) == 1
    assert f"scored without a loss: {mixed}/dev.tsv, row 1 ({name}): 'abc xyz' holds 'x', 'y', 'z'" in notices[0]


def test_a_dev_row_that_can_not_be_read_is_an_error(mixed: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing: 1 of 20 rows\n.*\(gone\)"):
        train_tones(tmp_path / "run", f"data.dev={mixed}/rows.tsv")


def test_a_target_that_is_no_text_is_named(mixed: Path, train_tones: TrainTones, tmp_path: Path) -> None:
    (mixed / "rows.jsonl").write_text(
        '{"path": "dev/000.wav", "name": "one", "text": "ab"}\n{"path": "dev/001.wav", "name": "two", "text": 5}\n'
    )
    with pytest.raises(DataError, match=r"bad value: 1 of 2 rows\n.*\(two\): the target should be text; received 5"):
        train_tones(tmp_path / "run", f"data.train={mixed}/rows.jsonl")


@pytest.mark.parametrize("rows", ["", "gone.wav\tgone\ta\n"])
def test_a_source_without_a_usable_row_is_an_error(rows: str, train_tones: TrainTones, tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("path\tname\ttext\n" + rows)
    with pytest.raises(DataError, match=r"rows\.tsv: holds no rows that can be used"):
        train_tones(tmp_path / "run", f"data.train={tmp_path}/rows.tsv", "data.max_bad_share=1")


def test_a_missing_file_among_real_recordings_is_found(tmp_path: Path) -> None:
    data = os.environ.get("SEQPIPE_DATA")
    if not data or not (Path(data) / "an4" / "train.tsv").is_file():
        pytest.skip("SEQPIPE_DATA names no folder with AN4 in it")
    header, *rows = (Path(data) / "an4" / "train.tsv").read_text().splitlines()
    columns = header.split("\t")
    fields = [dict(zip(columns, row.split("\t"), strict=True)) for row in rows[:400:10]]
    for row in fields:
        row["path"] = str(Path(data) / "an4" / row["path"])
    fields[17]["path"] = fields[17]["path"].replace(".", "_gone.")
    text = "\n".join("\t".join(row.values()) for row in fields)
    (tmp_path / "train.tsv").write_text(f"{header}\n{text}\n")
    recipe = load_recipe("speech/an4", [f"data.root={tmp_path}", "data.dev=null", "data.test=null"])
    found = check(recipe)["train"]
    assert found.rows == 40
    assert [(row.number, kind) for row, kind, _ in found.problems] == [(18, "missing")]
    assert fields[17]["path"] in found.problems[0][2]
