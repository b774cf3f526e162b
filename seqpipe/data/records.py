"""Records of a source, whatever its kind, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqpipe.core.naming import Naming
from seqpipe.core.suffixes import MANIFEST_KINDS, Suffixes
from seqpipe.data.columns import make_row
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError

Records = Iterable[tuple[int, Mapping[str, Any] | InputError, str]]
"""For each row its number from 1, its columns (or why there are none), and what the source itself calls it, or ""."""


def manifest_kind(name: Path) -> str | None:
    """What kind of manifest a file is by its name, compressed (``.gz``) or not; None if it is none."""
    kind = MANIFEST_KINDS.get(_plain(name).suffix.lower())
    return None if kind == "parquet" and _plain(name) != name else kind


def _plain(name: Path) -> Path:
    return name.with_suffix("") if name.suffix.lower() == ".gz" else name


def nameless(records: Iterable[tuple[int, Mapping[str, Any] | InputError]]) -> Records:
    """Records of a source that has no names for them."""
    return ((number, columns, "") for number, columns in records)


def record_rows(
    records: Records,
    config: Naming,
    base: Path,
    shown: str,
    *,
    suffixes: Suffixes,
    needs_target: bool,
    needs_id: bool,
    strict: bool,
) -> Iterator[Row]:
    """Rows of records, one at a time.

    Args:
        records: of a source.
        config: says which column is what.
        base: what paths in it are relative to.
        shown: the source's name, for messages.
        suffixes, needs_target, needs_id, strict: as for `seqpipe.data.source.read_rows`.

    Raises:
        DataError: as `seqpipe.data.source.read_rows` does of columns.
    """
    has_columns = False  # one row at least had those that the recipe names
    for number, columns, name in records:
        if isinstance(columns, InputError):
            yield _untold(number, columns, name)
            continue
        try:
            row = make_row(
                number,
                columns,
                config,
                base,
                shown,
                suffixes=suffixes,
                needs_target=needs_target,
                needs_id=needs_id,
                name=name,
            )
            has_columns = True
        except DataError as error:
            if strict or not has_columns:
                raise
            row = _untold(number, InputError("bad value", str(error)), name)
        yield row


def _untold(number: int, problem: InputError, name: str) -> Row:
    """A row of which no more is known than where it stands, which the problem says itself."""
    return Row(name or str(number), None, number=number, problem=problem)
