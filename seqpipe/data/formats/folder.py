"""A folder as a source: each recording with its text beside it, or texts in folders that are named as their classes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from seqpipe.core.file_names import on_disk
from seqpipe.core.lines import TOO_LONG, bounded_content
from seqpipe.core.naming import Naming
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


_MADE_OF = (".bin", ".nrm")
"""Before the ending of images that were made of a line: black and white, and grey (OCRopus)."""


def transcript_names(path: Path) -> Iterator[Path]:
    """What the file that holds the text of a recording (an image, an ink) may be called, the likeliest first.

    ``x.gt.txt`` is the ground truth of a line in the layout of OCRopus, Kraken, Tesseract and OCR-D, where ``x.txt``
    beside it is what a program has read.
    """
    stem = Path(path.stem)
    for name in [stem.name, *([stem.stem] if stem.suffix in _MADE_OF else [])]:
        yield path.with_name(f"{name}.gt.txt")
        yield path.with_name(f"{name}.txt")


def read_folder(folder: Path, names: Naming, suffixes: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Recordings (images, inks) below ``folder`` in order of their paths; their texts are beside them.

    What those are called is told by `transcript_names`.

    Args:
        folder: searched with all folders in it.
        names: of the columns; an id column gets the file's path without its ending. In the place of a target that a
            file doesn't have, or that can't be read, is no UTF-8 or is too long, an `InputError` says so.
        suffixes: endings of the files, in lower case.

    Raises:
        DataError: the folder holds no such files, or it or one in it can't be read.
    """
    number = 0
    for number, path in enumerate(files_below(folder, suffixes), 1):
        place = path.relative_to(folder)
        record: dict[str, Any] = {names.id: str(place.with_suffix(""))} if names.id else {}
        record |= {names.input: str(place), names.target: _transcript(path)}
        yield number, record
    if not number:
        raise DataError(f"{folder}: holds no file to read ({', '.join(sorted(suffixes))})")


def _transcript(path: Path) -> str | InputError:
    """The text beside a file, or why there is none."""
    looked_for = list(transcript_names(path))
    found = next((name for name in map(on_disk, looked_for) if os.path.lexists(name)), None)
    if found is None:
        tried = " or ".join(name.name for name in looked_for)
        return InputError("no target", f"has no text beside it; looked for {tried} in {path.parent}")
    return _content(found)


def _content(path: Path) -> str | InputError:
    """The one text that a file holds, without white space at its ends; or what is wrong with it."""
    text = whole_text(path)
    return text if isinstance(text, InputError) else text.strip()


def whole_text(path: Path) -> str | InputError:
    """All that a file of text holds, with line feeds; or what is wrong with it."""
    try:
        content = bounded_content(path)
    except OSError as error:
        return InputError("unreadable", f"{path}: can't be read ({error.strerror or error})")
    if content is None:
        return InputError("too long", f"{path}: {TOO_LONG}")
    text = content.decode("utf-8-sig", "surrogateescape")
    if what := unfit(text):
        return InputError("bad value", f"{path}: {what}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text_folder(folder: Path, names: Naming) -> Iterator[tuple[int, dict[str, Any] | InputError, str]]:
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
        text = _content(path)
        if isinstance(text, InputError):
            yield number, text, str(place)
            continue
        record: dict[str, Any] = {names.id: str(place.with_suffix(""))} if names.id else {}
        record |= {names.input: text, names.target: place.parent.name or None}
        yield number, record, str(place)
    if not number:
        raise DataError(f"{folder}: holds no text ({', '.join(sorted(TEXT_SUFFIXES))})")
