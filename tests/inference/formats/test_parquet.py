from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data

from seqpipe.answers.failure import Failure
from seqpipe.answers.transcript import Transcript
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.formats import parquet
from seqpipe.inference.formats.parquet import arrow_schema, write_parquet


@dataclass
class Tree:
    id: str
    children: "tuple[Tree, ...]"


def plain(value: Any) -> Any:
    """pyarrow gives the pairs of a map; JSON has objects."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return {name: plain(part) for name, part in value}
    return [plain(part) for part in value] if isinstance(value, list) else value


def read(path: Path) -> list[dict[str, Any]]:
    return plain(pyarrow.parquet.read_table(path).to_pylist())


@given(drawn=data())
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_back_as_it_was(
    drawn: DataObject, odd_texts: Any, save_answers: Any, spoken: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("parquet")
    row_id, text, message = (drawn.draw(odd_texts) for _ in range(3))
    answers = [Failure(row_id, "missing", message), spoken(row_id, text, confidence=1 / 3)]
    records = save_answers(folder / "store", answers)
    write_parquet(folder / "store", folder / "out.parquet", Transcript)
    empty = dict.fromkeys(("id", "text", "confidence", "words", "tokens", "score", "alternatives", "error", "message"))
    assert read(folder / "out.parquet") == [empty | record for record in records]


def test_every_kind_of_field_is_read_back_with_its_type(
    save_answers: Callable[..., Any], readings: list[Any], reading: type, tmp_path: Path
) -> None:
    records = save_answers(tmp_path / "store", readings)
    write_parquet(tmp_path / "store", tmp_path / "out.parquet", reading)
    assert read(tmp_path / "out.parquet") == [record | {"error": None, "message": None} for record in records]
    label = pyarrow.struct([("name", pyarrow.string()), ("scores", pyarrow.map_(pyarrow.string(), pyarrow.float64()))])
    expected = {
        "id": pyarrow.string(),
        "best": label,
        "second": label,
        "count": pyarrow.int64(),
        "sure": pyarrow.bool_(),
        "comment": pyarrow.string(),
        "span": pyarrow.list_(pyarrow.float64()),
        "labels": pyarrow.list_(label),
        "error": pyarrow.string(),
        "message": pyarrow.string(),
    }
    assert arrow_schema(reading) == pyarrow.schema(list(expected.items()))


def test_the_file_has_the_types_of_a_transcript_also_without_a_row(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    write_parquet(tmp_path / "store", tmp_path / "out.parquet", Transcript)
    places = [("start", pyarrow.float64()), ("end", pyarrow.float64()), ("confidence", pyarrow.float64())]
    word = [("text", pyarrow.string()), *places]
    alternative = [("text", pyarrow.string()), ("probability", pyarrow.float64()), ("score", pyarrow.float64())]
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.num_rows == 0
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "id": pyarrow.string(),
        "text": pyarrow.string(),
        "confidence": pyarrow.float64(),
        "words": pyarrow.list_(pyarrow.struct(word)),
        "tokens": pyarrow.list_(pyarrow.struct(word)),
        "score": pyarrow.float64(),
        "alternatives": pyarrow.list_(pyarrow.struct(alternative)),
        "error": pyarrow.string(),
        "message": pyarrow.string(),
    }


def test_a_name_that_is_no_utf8_is_written_out(save_answers: Any, spoken: Any, tmp_path: Path) -> None:
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    save_answers(tmp_path / "store", [spoken(name, "é"), Failure(name, "missing", f"{name}: no such file")])
    write_parquet(tmp_path / "store", tmp_path / "out.parquet", Transcript)
    rows = read(tmp_path / "out.parquet")
    assert [row["id"] for row in rows] == ["caf\\udce9.wav"] * 2
    assert rows[1]["message"] == "caf\\udce9.wav: no such file"


def test_row_groups_close_by_number_and_by_amount_and_hold_every_row_in_order(
    save_answers: Any, spoken: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 3)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 2000)
    save_answers(tmp_path / "store", [spoken(str(row), "a" * (40 if row == 4 else 1)) for row in range(8)])
    write_parquet(tmp_path / "store", tmp_path / "out.parquet", Transcript)
    metadata = pyarrow.parquet.read_metadata(tmp_path / "out.parquet")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [3, 2, 3]
    assert [row["id"] for row in read(tmp_path / "out.parquet")] == [str(row) for row in range(8)]


def test_a_type_without_a_column_is_named() -> None:
    for annotation, where in ((Any, "part"), (dict[int, str], "part"), (tuple[tuple[int, str], ...], r"part\[\]")):
        made = make_dataclass("Made", [("id", str), ("part", annotation)])
        with pytest.raises(ConfigError, match=rf"Made\.{where}: there is no Parquet column for the type"):
            arrow_schema(made)
    with pytest.raises(ConfigError, match=r"Tree\.children\[\]\.children\[\]: there is no Parquet column"):
        arrow_schema(Tree)


def test_a_value_of_another_type_names_the_rows_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "store").write_text('{"id": "a", "confidence": 1}\n{"id": "b", "confidence": "high"}\n')
    with pytest.raises(DataError, match=r"store, rows 1 to 2: don't fit Transcript .*high"):
        write_parquet(tmp_path / "store", tmp_path / "out.parquet", Transcript)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
