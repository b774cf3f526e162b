"""A folder as a source: each recording with its text beside it, or texts in folders that are named as their classes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from seqpipe.config.recipe import DataConfig
from seqpipe.core.lines import TOO_LONG, bounded_content
from seqpipe.core.suffixes import TEXT_SUFFIXES
from seqpipe.data.formats.walk import find_files
from seqpipe.errors import DataError, InputError
from seqpipe.text.validity import unfit


def files_below(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files of these endings below a folder, one at a time, in the order of their paths; see `find_files`.

    Raises:
        DataError: a folder can't be read.
    """
    for found in find_files(folder, suffixes):
        if isinstance(found, OSError):
            raise DataError(f"{found.filename}: the folder can't be read ({found.strerror})")
        yield found


def read_folder(folder: Path, names: DataConfig, suffixes: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Recordings (images, inks) below ``folder`` in order of their paths; ``x.txt`` beside ``x.flac`` holds its text.

    Args:
        folder: searched with all folders in it.
        names: of the columns; an id column gets the file's path without its ending. A file without text has None as
            target.
        suffixes: endings of the files, in lower case.

    Raises:
        DataError: the folder holds no such files, it or one in it can't be read, or a text is not UTF-8 or too long.
    """
    number = 0
    for number, path in enumerate(files_below(folder, suffixes), 1):
        place = path.relative_to(folder)
        record: dict[str, Any] = {names.id: str(place.with_suffix(""))} if names.id else {}
        record[names.input] = str(place)
        record[names.target] = None
        transcript = path.with_suffix(".txt")
        if transcript.is_file():
            content = bounded_content(transcript)
            if content is None:
                raise DataError(f"{transcript}: {TOO_LONG}")
            try:
                text = content.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise DataError(f"{transcript}: is not UTF-8 text (byte {error.start}: {error.reason})") from None
            record[names.target] = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        yield number, record
    if not number:
        raise DataError(f"{folder}: holds no file to read ({', '.join(sorted(suffixes))})")


def read_text_folder(folder: Path, names: DataConfig) -> Iterator[tuple[int, dict[str, Any] | InputError, str]]:
    """Texts below ``folder`` in order of their paths: a file is one text, and the folder that holds it is its class.

    Args:
        folder: searched with all folders in it, for ``.txt``.
        names: of the columns; an id column gets the file's path without its ending. A file right in ``folder`` has
            None as target.

    Returns:
        For each file its number from 1, its columns (the text without white space at its ends), and its path below
        ``folder``. One that can't be read, is no UTF-8, holds a null character or is too long is an `InputError` that
        names it.

    Raises:
        DataError: the folder holds no texts, or it or one in it can't be read.
    """
    number = 0
    for number, path in enumerate(files_below(folder, TEXT_SUFFIXES), 1):
        place = path.relative_to(folder)
        try:
            content = bounded_content(path)
        except OSError as error:
            problem = InputError("unreadable", f"{path}: can't be read ({error.strerror or error})")
            yield number, problem, str(place)
            continue
        if content is None:
            yield number, InputError("too long", f"{path}: {TOO_LONG}"), str(place)
            continue
        text = content.decode("utf-8-sig", "surrogateescape").strip()
        if what := unfit(text):
            yield number, InputError("bad value", f"{path}: {what}"), str(place)
            continue
        record: dict[str, Any] = {names.id: str(place.with_suffix(""))} if names.id else {}
        record |= {names.input: text, names.target: place.parent.name or None}
        yield number, record, str(place)
    if not number:
        raise DataError(f"{folder}: holds no text ({', '.join(sorted(TEXT_SUFFIXES))})")
