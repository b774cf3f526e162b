"""Answers as a Parquet file of typed columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from seqpipe.core.files import draft_file
from seqpipe.core.packages import lacking
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.formats.store import readable
from seqpipe.inference.formats.table import column_types, field_types, read_rows

ROW_GROUP_ROWS = 65_536
"""Most rows of a row group."""
ROW_GROUP_BYTES = 8 * 2**20
"""Bytes of JSON after which a row group closes early: hours of speech in a row must not fill the memory."""


def arrow_schema(prediction: type) -> Any:
    """The columns as pyarrow's schema, out of the annotations of the dataclass; all may be null.

    ``str``, ``float``, ``int``, ``bool`` are string, double, int64 and bool; ``tuple[X, ...]`` and ``list[X]`` a list;
    ``dict[str, X]`` a map; a dataclass a struct; ``X | None`` what X is.

    Raises:
        ConfigError: a field has another type, or see `column_types`.
    """
    try:
        import pyarrow
    except ImportError:
        raise ConfigError(f"--format parquet: {lacking('pyarrow', 'parquet')}; or --format jsonl or csv") from None

    columns = column_types(prediction)
    return pyarrow.schema([(name, _arrow_type(of, f"{prediction.__name__}.{name}")) for name, of in columns.items()])


def _arrow_type(annotation: Any, where: str, within: tuple[Any, ...] = ()) -> Any:
    import pyarrow

    scalars = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64(), bool: pyarrow.bool_()}
    if annotation in scalars:
        return scalars[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    some = [of for of in inner if of is not NoneType]
    if origin in (Union, UnionType) and len(some) == 1:
        return _arrow_type(some[0], where, within)
    elements = set(inner) - {Ellipsis}
    if origin in (tuple, list) and len(elements) == 1:
        return pyarrow.list_(_arrow_type(elements.pop(), f"{where}[]", within))
    if origin is dict and inner[0] is str:
        return pyarrow.map_(pyarrow.string(), _arrow_type(inner[1], f"{where}[]", within))
    if is_dataclass(annotation) and annotation not in within:  # a tree has no depth that a schema could hold
        parts = field_types(annotation).items()  # type: ignore[arg-type]
        return pyarrow.struct([(name, _arrow_type(of, f"{where}.{name}", (*within, annotation))) for name, of in parts])
    raise ConfigError(f"{where}: there is no Parquet column for the type {annotation}; --format jsonl or csv")


def write_parquet(store: Path, output: Path, prediction: type) -> None:
    """A row for each answer; failures have nulls but in id, error and message.

    The same store gives the same bytes (with the same version of pyarrow, whose name stands in the file).

    Raises:
        DataError: the store doesn't fit the prediction.
    """
    import pyarrow.parquet

    schema = arrow_schema(prediction)
    with draft_file(output) as file, pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        first = 1
        for rows in _row_groups(store, column_types(prediction)):
            try:
                table = pyarrow.Table.from_pylist(rows, schema=schema)
            except (pyarrow.ArrowException, OverflowError, TypeError) as error:
                raise DataError(
                    f"{store}, rows {first} to {first + len(rows) - 1}: don't fit {prediction.__name__} ({error})"
                ) from None
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            first += len(rows)


def _row_groups(store: Path, columns: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    amount = 0
    for size, row in read_rows(store, columns):
        rows.append(_readable_all(row))
        amount += size
        if len(rows) == ROW_GROUP_ROWS or amount >= ROW_GROUP_BYTES:
            yield rows
            rows, amount = [], 0
    if rows:
        yield rows


def _readable_all(value: Any) -> Any:
    """The value with every text in it as UTF-8 can hold it."""
    if isinstance(value, str):
        return value if value.isascii() else readable(value)
    if isinstance(value, dict):
        return {readable(key): _readable_all(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_readable_all(part) for part in value]
    return value
