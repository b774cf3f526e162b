import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data

from seqpipe.answers.failure import Failure
from seqpipe.answers.transcript import Transcript
from seqpipe.errors import DataError
from seqpipe.inference.formats.csv_table import write_csv


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@given(drawn=data())
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_back_as_it_was(
    drawn: DataObject, odd_texts: Any, save_answers: Any, spoken: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    row_id, text, message = (drawn.draw(odd_texts) for _ in range(3))
    answers = [spoken(row_id, text, confidence=1 / 3), Failure(row_id, "missing", message)]
    good, _ = save_answers(folder / "store", answers)
    write_csv(folder / "store", folder / "out.csv", Transcript)
    first, second = read(folder / "out.csv")
    assert list(first) == [
        *("id", "text", "confidence", "words", "tokens", "score", "alternatives", "error", "message")
    ]
    assert (first["id"], first["text"], first["error"], first["message"]) == (row_id, text, "", "")
    assert float(first["confidence"]) == good["confidence"]
    assert [json.loads(first[name]) for name in ("words", "tokens")] == [good["words"], good["tokens"]]
    expected = dict.fromkeys(first, "") | {"id": row_id, "error": "missing", "message": message}
    assert second == expected


def test_every_kind_of_field_is_read_back(
    save_answers: Callable[..., Any], readings: list[Any], reading: type, tmp_path: Path
) -> None:
    records = save_answers(tmp_path / "store", readings)
    write_csv(tmp_path / "store", tmp_path / "out.csv", reading)
    for row, record in zip(read(tmp_path / "out.csv"), records, strict=True):
        for name in ("best", "count", "sure", "span", "labels"):
            assert json.loads(row[name]) == record[name]
        assert row["second"] == "" if record["second"] is None else json.loads(row["second"]) == record["second"]
        assert row["comment"] == (record["comment"] or "")


def test_lines_end_as_the_standard_says_and_a_name_that_is_no_utf8_is_written_out(
    save_answers: Callable[..., Any], spoken: Any, tmp_path: Path
) -> None:
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    save_answers(tmp_path / "store", [spoken(name, "é")])
    write_csv(tmp_path / "store", tmp_path / "out.csv", Transcript)
    lines = (tmp_path / "out.csv").read_bytes().decode("utf-8").split("\r\n")
    assert len(lines) == 3
    assert lines[1].startswith("caf\\udce9.wav,é,0.5,")
    assert lines[2] == ""


def test_a_value_without_a_column_is_told_instead_of_lost(tmp_path: Path) -> None:
    (tmp_path / "store").write_text('{"id": "a", "text": "b", "mood": "c"}\n')
    with pytest.raises(DataError, match="store, row 1: no column for mood; known: id, text"):
        write_csv(tmp_path / "store", tmp_path / "out.csv", Transcript)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
