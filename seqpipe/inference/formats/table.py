"""Predictions as rows of a table: what the columns are called and hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from seqpipe.core.answer import INTERNAL
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.formats.store import read_store

FAILURE_COLUMNS = ("error", "message")
"""After the prediction's own; empty in an answer that could be given, while a failure has only its id beside them."""


def field_types(prediction: type) -> dict[str, Any]:
    """Names of a dataclass's fields, in their order, with their types; without those that are internal to an answer."""
    hints = get_type_hints(prediction)
    return {field.name: hints[field.name] for field in fields(prediction) if INTERNAL not in field.metadata}


def column_types(prediction: type) -> dict[str, Any]:
    """Columns in their order with their types: the prediction's fields, ``error`` and ``message``.

    Raises:
        ConfigError: the prediction is no dataclass, has no ``id`` or a field that is called as a failure's.
    """
    name = prediction.__name__
    if not is_dataclass(prediction):
        raise ConfigError(f"predictions of type {name} are no dataclass, so their columns are unknown; --format jsonl")
    types = field_types(prediction)
    if types.get("id") is not str:
        raise ConfigError(f"predictions of type {name} have no id that is a text; --format jsonl")
    for column in FAILURE_COLUMNS:
        if column in types:
            raise ConfigError(f"{name}.{column}: the column of this name holds what failed; --format jsonl")
    return types | dict.fromkeys(FAILURE_COLUMNS, str)


def read_rows(store: Path, columns: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each answer's size in bytes of JSON and its values by column; what it lacks has no key.

    Raises:
        DataError: an answer has a value that there is no column for; leaving it out would lose it.
    """
    for number, (line, record) in enumerate(read_store(store), 1):
        if not record.keys() <= columns.keys():
            unknown = ", ".join(sorted(record.keys() - columns.keys()))
            raise DataError(f"{store}, row {number}: no column for {unknown}; known: {', '.join(columns)}")
        yield len(line), record
