"""Faults planted among healthy rows: each must be named, with its row and its kind, and hardly anything else."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqpipe.checks.check import check_command

Table = dict[str, dict[str, str]]
"""Rows by their id."""
Found = dict[str, set[tuple[str, str]]]
"""(id, kind) of all that was named, by part and level."""

UNUSABLE = {
    "gone": "missing",
    "notes": "undecodable",
    "cut-wav": "truncated",
    "zero-bytes": "empty",
    "no-samples": "empty",
    "not-a-number": "non-finite",
    "no-text": "no target",
    "too-much-text": "too short for its label",
}
SUSPICIOUS = {
    "hours": "far longer than others",
    "odd-sign": "rare character",
    "swapped": "too few characters for its length",
    "copied": "duplicate",
    "copied-other-text": "duplicate, with another target",
    "from-dev": "in dev too",
    "speaker-of-dev": "speaker in dev too",
    "silence": "silent",
    "overdriven": "clipped",
    "telephone": "lower sample rate",
}


@dataclass
class DataSet:
    """A copy of a data set: its folder, its recipe and its column of ids."""

    folder: Path
    recipe: str
    key: str

    def table(self, part: str) -> Table:
        header, *lines = (self.folder / f"{part}.tsv").read_text(encoding="utf-8").splitlines()
        rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
        return {row[self.key]: row for row in rows}

    def write(self, part: str, table: Table) -> None:
        columns = list(next(iter(table.values())))
        lines = ["\t".join(row[column] for column in columns) for row in table.values()]
        (self.folder / f"{part}.tsv").write_text("\n".join(["\t".join(columns), *lines]) + "\n", encoding="utf-8")

    def check(self, capsys: pytest.CaptureFixture[str]) -> tuple[bool, Found]:
        """Whether all rows can be used, and what ``seqpipe check --json`` names."""
        usable = check_command(self.recipe, None, [f"data.root={self.folder}", "data.group=speaker"], as_json=True)
        record = json.loads(capsys.readouterr().out)
        found: Found = {}
        for part, findings in record["parts"].items():
            ids = list(self.table(part))
            for level in ("errors", "warnings"):
                named = found[f"{part} {level}"] = set()
                for item in findings[level]:
                    assert item["count"] == len(item["rows"])
                    for row in item["rows"]:
                        assert ids[row["row"] - 1] == row["id"]  # the number names the same row as the id
                        named.add((row["id"], item["kind"]))
        return usable, found


def plant(data: DataSet) -> None:
    """Put the faults among the rows of train, and a character that train lacks into dev."""
    train, dev = data.table("train"), data.table("dev")
    files = data.folder / "planted"
    files.mkdir()
    lengths = {name: soundfile.info(data.folder / row["path"]).frames for name, row in train.items()}
    by_length = sorted(train, key=lambda name: lengths[name])
    typical, max_length = train[by_length[len(by_length) // 2]], train[by_length[-1]]
    del train[max_length[data.key]]  # to be there once, under the wrong label
    samples, rate = soundfile.read(data.folder / typical["path"])
    other_text = next(row["text"] for row in train.values() if row["text"] != typical["text"])
    of_dev = next(iter(dev.values()))

    def sound(name: str, content: np.ndarray, hertz: int = rate, subtype: str = "PCM_16") -> dict[str, str]:
        soundfile.write(files / f"{name}.wav", content, hertz, subtype=subtype)
        return {"path": f"planted/{name}.wav"}

    def changed(seed: int) -> np.ndarray:
        """The typical recording, a little different each time, so that it is no duplicate."""
        return samples + 1e-3 * np.random.default_rng(seed).standard_normal(len(samples))

    broken = np.where(np.arange(len(samples)) == 99, np.nan, samples)
    loud = np.clip(100 * samples / np.abs(samples).max(), -1, 1)
    rows = {
        "gone": {"path": "planted/gone.wav"},
        "notes": {"path": "planted/notes.wav"},
        "cut-wav": sound("cut-wav", changed(1)),
        "zero-bytes": {"path": "planted/zero-bytes.wav"},
        "no-samples": sound("no-samples", samples[:0]),
        "not-a-number": sound("not-a-number", broken, subtype="FLOAT"),
        "no-text": {**sound("no-text", changed(2)), "text": ""},
        "too-much-text": {**sound("too-much-text", changed(3)), "text": 40 * f"{max_length['text']} "},
        "hours": sound("hours", np.tile(changed(4), 20)),
        "odd-sign": {**sound("odd-sign", changed(5)), "text": f"{typical['text']}+"},
        "swapped": {"path": max_length["path"], "text": min((row["text"] for row in train.values()), key=len)},
        "copied": {"path": "planted/copied.flac"},
        "copied-other-text": {**sound("copied-other-text", samples), "text": other_text},
        "from-dev": {"path": of_dev["path"], "text": of_dev["text"]},
        "speaker-of-dev": {**sound("speaker-of-dev", changed(6)), "speaker": of_dev["speaker"]},
        "silence": sound("silence", np.zeros(len(samples))),
        "overdriven": sound("overdriven", loud),
        "telephone": sound("telephone", changed(7)[::2], rate // 2),
    }
    soundfile.write(files / "copied.flac", samples, rate)
    (files / "notes.wav").write_text("this is no sound")
    (files / "zero-bytes.wav").touch()
    (files / "cut-wav.wav").write_bytes((files / "cut-wav.wav").read_bytes()[: len(samples)])
    names = list(train)
    first = names.index(typical[data.key]) + 1  # a copy is named where it comes second
    for place, (name, values) in enumerate(rows.items()):
        names.insert(first + 2 * place, name)
        train[name] = {**typical, **values, data.key: name}
    data.write("train", {name: train[name] for name in names})
    dev["unheard-of"] = {**of_dev, **sound("unheard-of", changed(8)), data.key: "unheard-of", "text": "~"}
    data.write("dev", dev)


def expect_all_faults(data: DataSet, capsys: pytest.CaptureFixture[str], false_alarms: int) -> None:
    """Every fault is named as what it is, and but for a few false alarms nothing else."""
    usable, found = data.check(capsys)
    assert not usable
    assert found["train errors"] == set(UNUSABLE.items())
    assert found["dev errors"] == set()
    assert ("unheard-of", "unknown character") in found["dev warnings"]  # it is scored all the same
    of_planted = {(name, kind) for name, kind in found["train warnings"] if name in SUSPICIOUS}
    assert of_planted - {("hours", "too few characters for its length")} == set(SUSPICIOUS.items())
    assert len(found["train warnings"] - of_planted) <= false_alarms, found["train warnings"]
    of_pairs = {kind for name, kind in found["dev warnings"] if name != "unheard-of"}
    assert of_pairs == {"in train too", "speaker in train too"}


@pytest.fixture
def tones(tone_data: Path, tmp_path: Path) -> DataSet:
    """The tones, with speakers."""
    folder = tmp_path / "tones"
    shutil.copytree(tone_data, folder)
    data = DataSet(folder, str(folder / "tones.yaml"), "name")
    for part in ("train", "dev"):
        table = data.table(part)
        for number, row in enumerate(table.values()):
            row["speaker"] = f"{part}{number % 8}"
        data.write(part, table)
    return data


def test_every_fault_among_tones_is_named(tones: DataSet, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tones)
    expect_all_faults(tones, capsys, false_alarms=0)


@pytest.fixture
def an4(tmp_path: Path) -> DataSet:
    """AN4's train and dev, free to be damaged: the recordings are links."""
    data = os.environ.get("SEQPIPE_DATA")
    if not data or not (Path(data) / "an4" / "train.tsv").is_file():
        pytest.skip("SEQPIPE_DATA names no folder with AN4 in it")
    folder = tmp_path / "an4"
    folder.mkdir()
    for part in ("train", "dev"):
        (folder / part).symlink_to(Path(data) / "an4" / part)
        shutil.copyfile(Path(data) / "an4" / f"{part}.tsv", folder / f"{part}.tsv")
    return DataSet(folder, "speech/an4", "utt_id")


def test_real_recordings_give_hardly_a_false_alarm(an4: DataSet, capsys: pytest.CaptureFixture[str]) -> None:
    usable, found = an4.check(capsys)
    assert usable
    assert found["train errors"] == found["dev errors"] == found["dev warnings"] == set()
    assert len(found["train warnings"]) <= 2, found


def test_every_fault_among_real_recordings_is_named(an4: DataSet, capsys: pytest.CaptureFixture[str]) -> None:
    plant(an4)
    expect_all_faults(an4, capsys, false_alarms=2)
