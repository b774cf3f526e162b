import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from seqpipe import ConfigError
from seqpipe.config.recipe import DataConfig
from seqpipe.data.source import data_root, read_rows, training_rows
from seqpipe.data.starter.sentiment import (
    HELD_OUT,
    LABELS,
    PARTS,
    PLAIN,
    TURNED,
    made_sentences,
    starter_sentiment,
    written_sentences,
)

CONFIG = {"root": "starter:sentiment", "train": "train.tsv", "input": "text", "target": "label", "id": "id"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter_sentiment(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def parts(folder: Path) -> dict[str, list[dict[str, str]]]:
    tables = {}
    for part in PARTS:
        with (folder / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
            tables[part] = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tables


def test_there_are_as_many_of_each_label_and_enough(parts: dict[str, list[dict[str, str]]]) -> None:
    for part, least in {"train": 800, "dev": 80, "test": 100}.items():
        counts = Counter(row["label"] for row in parts[part])
        assert set(counts) == set(LABELS)
        assert len(set(counts.values())) == 1
        assert counts.total() >= least
    least_written = {"train": 200, "dev": 80, "test": 100}
    domains = {part: {row["domain"] for row in rows} for part, rows in parts.items()}
    assert domains["train"] == domains["dev"] == domains["test"]
    for part in PARTS:
        made = Counter((row["label"], row["domain"]) for row in parts[part] if row["kind"] == "made")
        assert len(set(made.values())) == 1
        assert sum(row["kind"] == "written" for row in parts[part]) >= least_written[part]


def test_no_sentence_stands_twice_whatever_its_case_and_signs(parts: dict[str, list[dict[str, str]]]) -> None:
    letters = Counter(re.sub(r"\W", "", row["text"]).lower() for rows in parts.values() for row in rows)
    assert [text for text, count in letters.items() if count > 1] == []
    ids = [row["id"] for rows in parts.values() for row in rows]
    assert len(set(ids)) == len(ids)


def test_sentences_look_like_sentences(parts: dict[str, list[dict[str, str]]]) -> None:
    for rows in parts.values():
        for row in rows:
            text = row["text"]
            assert re.fullmatch(r"[A-Z][A-Za-z0-9 ,.;:'?!-]+[.!?]", text), text
            assert "  " not in text
            assert len(text.split()) > 2
            assert not re.search(r"\ba [aeiou](?!ne\b|ni|se)|\ban [^aeiouh]", text), text


def test_what_is_written_for_one_part_has_another_wording_than_all_else(parts: dict[str, list[dict[str, str]]]) -> None:
    def runs(rows: list[dict[str, str]]) -> Counter[tuple[str, ...]]:
        words = [re.findall(r"[\w']+", row["text"].lower()) for row in rows]
        return Counter(run for line in words for run in {tuple(line[at : at + 6]) for at in range(len(line) - 5)})

    everywhere = runs([row for rows in parts.values() for row in rows])
    for part in ("dev", "test"):
        own = runs([row for row in parts[part] if row["kind"] == "written"])
        assert [run for run, count in own.items() if everywhere[run] > count] == []


def test_no_template_is_shared_by_two_parts() -> None:
    templates = [PLAIN, TURNED, HELD_OUT["dev"], HELD_OUT["test"]]
    listed = [template for by_label in templates for label in LABELS for template in set(by_label[label])]
    assert len(set(listed)) == len(listed)


def test_words_of_every_kind_of_turn_are_there(parts: dict[str, list[dict[str, str]]]) -> None:
    for part, least in {"train": 50, "test": 8}.items():
        for label in LABELS:
            texts = [row["text"].lower() for row in parts[part] if row["label"] == label]
            assert (
                sum(bool(re.search(r"\bnot?\b|n't\b|\bnever\b|\bnothing\b|\bnobody\b", text)) for text in texts)
                >= least
            )
            assert sum("but" in text or "yet" in text or "and" in text for text in texts) >= least


def test_the_recipe_s_root_makes_them_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path))
    config = DataConfig(**CONFIG)
    rows = list(training_rows(config, suffixes=frozenset()))
    assert len(rows) == len(list(written_sentences("train"))) + len(made_sentences("train"))
    assert all(row.problem is None for row in rows)
    assert rows[0].id == "train-0001"
    before = (data_root(config) / "train.tsv").stat().st_mtime_ns
    (row, *_) = read_rows("test.tsv", config, suffixes=frozenset(), root=data_root(config))
    assert (row.id, row.target) == ("test-0001", "positive")
    assert (data_root(config) / "train.tsv").stat().st_mtime_ns == before
    with pytest.raises(
        ConfigError, match="no starter data called sentimnt; known: handwriting, language, sentiment, speech"
    ):
        data_root(DataConfig(root="starter:sentimnt"))


def test_every_process_makes_the_same_ones(folder: Path, tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from seqpipe.data.starter.sentiment import write_sentiment as w; "
    subprocess.run([sys.executable, "-c", f"{program} w(Path(sys.argv[1]))", tmp_path / "again"], check=True)
    for part in PARTS:
        assert (tmp_path / "again" / f"{part}.tsv").read_bytes() == (folder / f"{part}.tsv").read_bytes()
