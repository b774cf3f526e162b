"""A folder as a source: each recording with its text beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.errors import DataError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".sph", ".w64"})


def audio_files(folder: Path) -> list[Path]:
    """Recordings below a folder, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())


def read_folder(folder: Path, target: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Recordings below ``folder`` in order of their paths; ``x.txt`` beside ``x.flac`` holds its text.

    Raises:
        DataError: the folder holds no recordings.
    """
    files = audio_files(folder)
    if not files:
        raise DataError(f"{folder}: holds no recordings ({', '.join(sorted(AUDIO_SUFFIXES))})")
    for number, path in enumerate(files, 1):
        record: dict[str, Any] = {"path": str(path.relative_to(folder))}
        transcript = path.with_suffix(".txt")
        if transcript.is_file():
            record[target] = transcript.read_text(encoding="utf-8").strip()
        yield number, record
