"""Files of running text as a source: each is one row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.core.naming import Naming
from seqpipe.core.suffixes import TEXT_SUFFIXES
from seqpipe.data.formats.folder import files_below, whole_text
from seqpipe.errors import DataError, InputError


def read_documents(source: Path, names: Naming) -> Iterator[tuple[int, dict[str, Any] | InputError, str]]:
    """A file, or all ``.txt`` below a folder in order of their paths: a document each, from its first sign to its last.

    Args:
        source: of either kind.
        names: of the columns; an id column gets the file's path without its ending.

    Returns:
        For each document its number from 1, its columns, and its path (below ``source``, if that is a folder). One that
        can't be read, is no UTF-8, holds nothing but white space, or is too long is an `InputError` that names it.

    Raises:
        DataError: the folder holds no texts, or it or one in it can't be read.
    """
    paths = files_below(source, TEXT_SUFFIXES) if source.is_dir() else iter([source])
    number = 0
    for number, path in enumerate(paths, 1):
        place = path.relative_to(source) if source.is_dir() else Path(path.name)
        text = whole_text(path)
        if not isinstance(text, InputError) and not text.strip():
            text = InputError("empty", f"{path}: holds no text")
        if isinstance(text, InputError):
            yield number, text, str(place)
            continue
        record: dict[str, Any] = {names.id: str(place.with_suffix(""))} if names.id else {}
        yield number, record | {names.target: text, names.input: text}, str(place)
    if not number:
        raise DataError(f"{source}: holds no text ({', '.join(sorted(TEXT_SUFFIXES))})")
