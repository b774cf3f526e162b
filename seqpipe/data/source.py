"""Opening a source of rows, whatever its kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqpipe.data.folder import read_folder
from seqpipe.data.hub import read_hub
from seqpipe.data.manifest import read_manifest
from seqpipe.data.rows import AudioSpan, Row
from seqpipe.errors import ConfigError, DataError, InputError, did_you_mean
from seqpipe.recipe import DataConfig

MANIFEST_KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
MANIFEST_SUFFIXES = frozenset(MANIFEST_KINDS)


def data_root(config: DataConfig) -> Path:
    """The folder that sources are relative to; ``starter:NAME`` makes the starter data first, once."""
    root = config.root or "."
    if root.startswith("starter:"):
        from seqpipe.data.starter import starter_data

        return starter_data(root.removeprefix("starter:"))
    return Path(root).expanduser()


def is_there(part: str, root: Path) -> bool:
    """Whether a part of a recipe can be opened; a data set of the Hub is taken to be there."""
    return part.startswith("hub:") or (root / part).exists()


def training_rows(config: DataConfig, *, reads_files: bool) -> Iterator[Row]:
    """Rows of ``data.train``, then those of ``data.train_also``.

    Raises:
        ConfigError: there is no ``data.train``.
        DataError: as `read_rows` does.
    """
    if config.train is None:
        raise ConfigError("data.train is required: the source of the training rows")
    root = data_root(config)
    yield from read_rows(config.train, config, reads_files=reads_files, root=root)
    for source in config.train_also:  # whose rows need no ids like the others': nothing is ever reported of them
        yield from read_rows(source, config, reads_files=reads_files, needs_id=False, root=root)


def read_rows(
    source: str,
    config: DataConfig,
    *,
    reads_files: bool,
    needs_target: bool = True,
    needs_id: bool = True,
    strict: bool = True,
    root: Path | None = None,
) -> Iterator[Row]:
    """Rows of a source, one at a time, in its order.

    Args:
        source: a manifest (jsonl, csv, tsv, parquet), a folder, a data set (``hub:NAME[:CONFIGURATION][@SPLIT]``), or
            rows that are made on this machine, once (``starter:digits``).
        config: says which column is what.
        reads_files: inputs are paths, relative to the manifest (or bytes, from a data set).
        needs_target: a row without target has a `Row.problem`.
        needs_id: a source without the id column is an error; else its rows go by their inputs or numbers.
        strict: a row that can't be told from the others ends the reading. Else it has a `Row.problem` and no columns,
            as has a row without a column that rows before it had.
        root: what a relative ``source`` is relative to.

    Raises:
        DataError: the source is missing, a column is missing (the nearest is named), or a row can't be told from the
            others (see ``strict``). What is wrong with one row alone becomes its `Row.problem`.
    """
    records: Iterable[tuple[int, dict[str, Any] | InputError]]
    if source.startswith("hub:") or config.format == "hub":
        name = source.removeprefix("hub:")
        if root is not None and (root / name.partition("@")[0]).is_dir():
            name = str(root / name)
        records, base, shown = read_hub(name), Path(), source
    else:
        path = (root or Path()) / Path(source).expanduser()
        wanted = config.format
        if source.startswith("starter:"):
            from seqpipe.data.starter import starter_source

            path, wanted = starter_source(source.removeprefix("starter:")), "auto"
        kind = _kind(path, wanted)
        shown = str(path)
        if kind == "folder":
            records, base = read_folder(path, config), path
        else:
            records, base = read_manifest(path, kind, strict=strict), path.parent
    has_columns = False  # one row at least had those that the recipe names
    for number, columns in records:
        if isinstance(columns, InputError):
            yield _untold(number, columns)
            continue
        try:
            row = make_row(
                number,
                columns,
                config,
                base,
                shown,
                reads_files=reads_files,
                needs_target=needs_target,
                needs_id=needs_id,
            )
            has_columns = True
        except DataError as error:
            if strict or not has_columns:
                raise
            row = _untold(number, InputError("bad value", str(error)))
        yield row


def _untold(number: int, problem: InputError) -> Row:
    """A row of which no more is known than where it stands, which the problem says itself."""
    return Row(str(number), None, number=number, problem=problem)


def _kind(path: Path, wanted: str) -> str:
    if not path.exists():
        raise DataError(
            f"{path}: there is no such file or folder (data.root and data.train/dev/test say where to look)"
        )
    if wanted != "auto":
        return wanted
    if path.is_dir():
        return "folder"
    kind = MANIFEST_KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(
            f"{path}: can't tell what kind of source this is from its name; known endings: "
            f"{', '.join(sorted(MANIFEST_KINDS))}, or set data.format"
        )
    return kind


def make_row(
    number: int,
    columns: Mapping[str, Any],
    config: DataConfig,
    base: Path,
    source: str,
    *,
    reads_files: bool,
    needs_target: bool,
    needs_id: bool,
) -> Row:
    """One row from its columns; raises `DataError` if a column is missing (a target: in the first row)."""
    where = f"{source}, row {number}"

    def column(name: str, key: str) -> Any:
        if name not in columns:
            raise DataError(f"{where}: has no column {name} (data.{key}){did_you_mean(name, columns)}")
        return columns[name]

    value = column(config.input, "input")
    named_by = config.id if config.id and (needs_id or config.id in columns) else None
    row_id = str(column(named_by, "id")) if named_by else ""
    problem: InputError | None = None
    if reads_files:
        row_id = row_id or (value if isinstance(value, str) else str(number))
        spans = [(column(name, key), name) for name, key in ((config.start, "start"), (config.end, "end")) if name]
        try:
            seconds = {name: _seconds(cell, name) for cell, name in spans}
        except InputError as error:
            value, problem = None, error
        else:
            value = _audio(value, base, seconds.get(config.start or ""), seconds.get(config.end or ""))
        if not named_by and isinstance(value, AudioSpan) and value.start:
            row_id = f"{row_id}@{value.start:g}"
    target = columns.get(config.target)
    if target is None and needs_target:
        if config.target not in columns and number == 1:  # the wrong name for all rows, not one row without
            where += f" ({row_id})" if row_id else ""
            column(config.target, "target")
        problem = problem or InputError("no target", f"has nothing in the column {config.target} (data.target)")
    return Row(row_id or str(number), value, target, number, source, columns, problem)


def unread_spans(row: Row, config: DataConfig) -> str | None:
    """What to tell the user where a source has columns of spans that the recipe doesn't read; else None."""
    if config.start or config.end or not isinstance(row.input, AudioSpan):
        return None
    found = [name for name in ("start", "end") if name in row.columns]
    if not found:
        return None
    return (
        f"has {'columns' if len(found) > 1 else 'a column'} {' and '.join(found)}, "
        "and the recipe names no data.start and data.end, so whole files are read"
    )


def _audio(value: Any, base: Path, start: float | None, end: float | None) -> Any:
    """A span of a recording; what is neither path nor bytes stays as it is, for the features to refuse as bad input."""
    if isinstance(value, Mapping):  # an undecoded Audio column of `datasets`
        value = value["bytes"] if value.get("bytes") is not None else value.get("path")
    if isinstance(value, str) and value:
        value = base / value
    return AudioSpan(value, start or 0.0, end) if isinstance(value, (Path, bytes)) else value


def _seconds(value: Any, name: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise InputError("bad value", f"{name} should be seconds, at least 0; received {value!r}")
    return seconds
