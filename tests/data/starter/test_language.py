import json
from pathlib import Path

import pytest

from seqpipe.config.recipe import DataConfig
from seqpipe.data.source import data_root, training_rows
from seqpipe.data.starter.language import COUNTS, PAIRS, PARTS, made_exchange, starter_language

CONFIG = {"root": "starter:language", "train": "train.jsonl", "input": "text", "target": "text", "id": "id"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter_language(tmp_path_factory.mktemp("cache"))


def test_no_text_is_in_two_parts_or_twice(folder: Path) -> None:
    texts = []
    for part in PARTS:
        records = [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]
        assert len(records) == COUNTS[part]
        assert {record["kind"] for record in records} == set(PAIRS)
        texts += [record["text"] for record in records]
    assert len(set(texts)) == len(texts)
    assert all(text.count("\n") == 1 and "{" not in text for text in texts)


def test_an_exchange_depends_on_its_number_alone() -> None:
    assert [made_exchange(number) for number in range(5)] == [made_exchange(number) for number in range(5)]
    assert len({made_exchange(number) for number in range(50)}) > 40


def test_replies_of_dev_lie_beside_the_parts(folder: Path) -> None:
    lines = (folder / "dev.jsonl").read_text().splitlines()
    replies = {json.loads(line)["text"].partition("\n")[2] for line in lines}
    assert (folder / "replies.txt").read_text().splitlines() == sorted(replies)


def test_the_recipe_s_root_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_CACHE", str(tmp_path))
    config = DataConfig(**CONFIG)
    assert data_root(config).parent == tmp_path
    row = next(training_rows(config, suffixes=frozenset()))
    assert row.input == row.target
