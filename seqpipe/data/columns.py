"""A row out of its columns: what each cell stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqpipe.core.cell import cell_text, plain
from seqpipe.core.file_names import on_disk
from seqpipe.core.input import FileSpan
from seqpipe.core.naming import Naming
from seqpipe.core.suffixes import INK_SUFFIXES, Suffixes
from seqpipe.data.pages.line import PageLine
from seqpipe.data.rows import Row
from seqpipe.data.spans import Span, read_span, span_columns
from seqpipe.errors import DataError, InputError, did_you_mean
from seqpipe.text.validity import unfit

HINTS = {
    "id": "; data.id=null if there is none",
    **dict.fromkeys(("start", "end", "duration", "channel"), "; if only some rows have one, write null in the first"),
}
"""What to do where a column is missing."""


def make_row(
    number: int,
    columns: Mapping[str, Any],
    config: Naming,
    base: Path,
    source: str,
    *,
    suffixes: Suffixes,
    needs_target: bool,
    needs_id: bool,
    name: str = "",
) -> Row:
    """One row from its columns; raises `DataError` if a column is missing (a target: in the first row).

    Args:
        number, columns, config, base, source: where it stands, what it says, and what that means.
        suffixes, needs_target, needs_id: as for `read_rows`.
        name: its id, if the recipe names no column of ids.
    """
    where = f"{source}, row {number}"

    def column(wanted: str, key: str) -> Any:
        if wanted not in columns:
            hint = HINTS.get(key, "")
            raise DataError(f"{where}: has no column {wanted} (data.{key}){did_you_mean(wanted, columns)}{hint}")
        return columns[wanted]

    columns = {title: plain(value) for title, value in columns.items()}
    value = column(config.input, "input")
    named_by = config.id if config.id and (needs_id or config.id in columns) else None
    given = cell_text(column(named_by, "id")) if named_by else None
    row_id = given or name
    problem: InputError | None = None
    if suffixes & INK_SUFFIXES and _is_json(value):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            said = f"the column {config.input} (data.input) begins with [ and is not JSON ({error})"
            value, problem = None, InputError("bad value", said)
    if suffixes:
        row_id = row_id or (value if isinstance(value, str) else str(number))
        if number == 1:  # a name that no row has; JSON lines leave out in a row what it doesn't have
            for cell, key in span_columns(config):
                column(cell, key)
        try:
            value = _file(value, base, read_span(columns, config))
        except InputError as error:
            value, problem = None, problem or error
        if given is None and isinstance(value, FileSpan):
            row_id += value.part
    elif what := unfit(_all_text(value)):
        value, problem = None, InputError("bad value", f"the column {config.input} (data.input) {what}")
    target = columns.get(config.target)
    if isinstance(target, InputError):  # of a source that reads it from elsewhere
        problem = problem or (target if needs_target else None)
        target, columns = None, {**columns, config.target: None}
    elif target is None and needs_target:
        if config.target not in columns and number == 1:  # the wrong name for all rows, not one row without
            where += f" ({row_id})" if row_id else ""
            column(config.target, "target")
        problem = problem or InputError("no target", f"has nothing in the column {config.target} (data.target)")
    return Row(row_id or str(number), value, target, number, source, columns, problem)


def _all_text(value: Any) -> str:
    """A text, or all words of a list; nothing of what is neither."""
    if isinstance(value, (list, tuple)):
        return " ".join(word for word in value if isinstance(word, str))
    return value if isinstance(value, str) else ""


def _file(value: Any, base: Path, span: Span) -> Any:
    """A file, or a span of one; what is neither path nor bytes stays as it is, for the features to judge."""
    if isinstance(value, Mapping) and value.keys() & {"bytes", "path"}:  # an undecoded column of `datasets`
        value = value["bytes"] if value.get("bytes") is not None else value.get("path")
    elif isinstance(value, Mapping) and "polygon" in value:  # of pages that were divided into folds
        return PageLine.of(value)
    if isinstance(value, str) and value:
        value = on_disk(base / value)
    return FileSpan(value, *span) if isinstance(value, (Path, bytes)) else value


def _is_json(value: Any) -> bool:
    """Whether a cell holds strokes themselves: tables of text have no lists."""
    return isinstance(value, str) and value.lstrip().startswith("[") and not value.endswith(tuple(INK_SUFFIXES))
