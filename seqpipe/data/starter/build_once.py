"""Data that this machine makes for itself, kept in a cache."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""


def cache_folder() -> Path:
    """``$SEQPIPE_CACHE``, ``$XDG_CACHE_HOME/seqpipe`` or ``~/.cache/seqpipe``."""
    own, shared = os.environ.get("SEQPIPE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else (Path(shared) if shared else Path.home() / ".cache") / "seqpipe"


def build_once(name: str, tables: Iterable[str], write: Callable[[Path], None], cache: Path | None = None) -> Path:
    """The folder of that name in the cache; written the first time.

    It gets its name only when it is whole, so a call that was killed, or two at once, do no harm.

    Args:
        name: of the folder, with a version.
        tables: files that are in it when it is whole.
        write: fills an absent folder of the given name.
        cache: where it is kept; see `cache_folder`.

    Raises:
        RuntimeError: something without the tables stands at that place.
    """
    folder = (cache or cache_folder()) / name
    if folder.exists():
        if not all((folder / table).is_file() for table in tables):
            raise RuntimeError(f"{folder} doesn't hold {', '.join(tables)}: delete it and try again")
        return folder
    # A sibling, since only within one file system a folder moves in one step.
    part = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
    try:
        write(part)
        try:
            part.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster, with the same content
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def write_table(path: Path, lines: Iterable[str]) -> None:
    """Write the lines of a table, each with a line feed, whatever the machine."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
