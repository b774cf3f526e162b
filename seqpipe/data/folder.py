"""A folder as a source: each recording with its text beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.data.walk import find_files
from seqpipe.errors import DataError
from seqpipe.recipe import DataConfig

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".sph", ".w64"})


def audio_files(folder: Path) -> Iterator[Path]:
    """Recordings below a folder, one at a time, in the order of their paths; see `find_files`.

    Raises:
        DataError: a folder can't be read.
    """
    for found in find_files(folder, AUDIO_SUFFIXES):
        if isinstance(found, OSError):
            raise DataError(f"{found.filename}: the folder can't be read ({found.strerror})")
        yield found


def read_folder(folder: Path, names: DataConfig) -> Iterator[tuple[int, dict[str, Any]]]:
    """Recordings below ``folder`` in order of their paths; ``x.txt`` beside ``x.flac`` holds its text.

    Args:
        folder: searched with all folders in it.
        names: of the columns; an id column gets the recording's path without its ending. A recording without text has
            None as target.

    Raises:
        DataError: the folder holds no recordings, it or one in it can't be read, or a text is not UTF-8.
    """
    number = 0
    for number, path in enumerate(audio_files(folder), 1):
        place = path.relative_to(folder)
        record: dict[str, Any] = {names.id: str(place.with_suffix(""))} if names.id else {}
        record[names.input] = str(place)
        record[names.target] = None
        transcript = path.with_suffix(".txt")
        if transcript.is_file():
            try:
                record[names.target] = transcript.read_text(encoding="utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise DataError(f"{transcript}: is not UTF-8 text (byte {error.start}: {error.reason})") from None
        yield number, record
    if not number:
        raise DataError(f"{folder}: holds no recordings ({', '.join(sorted(AUDIO_SUFFIXES))})")
