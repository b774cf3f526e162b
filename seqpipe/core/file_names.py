"""Names of files that are the same to people: a Mac writes letters with accents as two characters, others as one."""

from __future__ import annotations

import os
import unicodedata
from functools import lru_cache
from pathlib import Path


def on_disk(path: Path) -> Path:
    """The path as it is called on the disk, where that differs in Unicode normalization (UAX #15) alone.

    Args:
        path: as a manifest, a document or a person wrote it.

    Returns:
        The path itself if there is such a file, or none that differs so.
    """
    if str(path).isascii() or os.path.lexists(path):  # a million rows: one look each, and none at plain names
        return path
    found = Path(path.anchor)
    for part in path.relative_to(found).parts:
        inner = found / part
        if not os.path.lexists(inner):
            inner = found / _names_in(found).get(normal_name(part), part)
            if not os.path.lexists(inner):
                return path
        found = inner
    return found


def normal_name(name: str) -> str:
    """The name that is shared by all that differ in Unicode normalization alone (NFC)."""
    return unicodedata.normalize("NFC", name)


def _names_in(folder: Path) -> dict[str, str]:
    """What is in a folder and isn't plain ASCII, by normal names."""
    try:
        return _listing(folder, folder.stat().st_mtime_ns)
    except (OSError, ValueError):  # ValueError: a null character in the name
        return {}


@lru_cache(maxsize=64)
def _listing(folder: Path, modified: int) -> dict[str, str]:
    """Once for all rows of a manifest; ``modified`` tells that there are other names by now."""
    names = sorted(path.name for path in folder.iterdir())
    return {normal_name(name): name for name in names if not name.isascii()}
