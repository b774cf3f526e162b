"""Files below a folder, one at a time, however many there are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath
from typing import NamedTuple


class _Folder(NamedTuple):
    path: str
    identity: tuple[int, int]  # device and number
    names: list[str]  # of files and folders in it that are still to come, the next one last
    folders: set[str]  # which of the names


def find_files(
    folder: Path, suffixes: Collection[str], passed_over: Counter[str] | None = None
) -> Iterator[Path | OSError]:
    """Files below a folder, in the order of their paths compared part by part (``a/z.wav`` before ``a.wav``).

    Held in memory are only the names in those folders that lead to the present file. A link to a folder is followed,
    and files in it go by the link's path, as with ``find -L``, unless it leads back to a folder that it lies in. A link
    that leads nowhere is given like a file, for whoever reads it to say so.

    Args:
        folder: searched with all folders in it.
        suffixes: of the files, in lower case with their dot; a file's own may be in capitals.
        passed_over: counts what else is in the folders by its ending, as far as the walk has come.

    Returns:
        Paths that begin with ``folder``; in the place of a folder that can't be read its `OSError`, which names it.
    """
    opened: list[_Folder] = []  # a stack, not a recursion: folders may be nested deeper than Python's calls
    inner = str(folder)
    is_folder = True
    while True:
        if not is_folder:
            yield Path(inner)
        else:
            try:
                found = _look_into(inner, suffixes, [above.identity for above in opened], passed_over)
            except OSError as error:
                yield error
            else:
                opened.append(found)
        while opened and not opened[-1].names:
            opened.pop()
        if not opened:
            return
        name = opened[-1].names.pop()
        inner, is_folder = os.path.join(opened[-1].path, name), name in opened[-1].folders  # noqa: PTH118 - a million


def _look_into(
    path: str, suffixes: Collection[str], above: list[tuple[int, int]], passed_over: Counter[str] | None
) -> _Folder:
    """What is in a folder; nothing if it is one of those above."""
    status = os.stat(path)  # noqa: PTH116
    found = _Folder(path, (status.st_dev, status.st_ino), [], set())
    if found.identity in above:
        return found
    longer = tuple(suffix for suffix in suffixes if "." in suffix[1:])  # .tok.en
    with os.scandir(path) as entries:
        for entry in entries:
            if _is_folder(entry):
                found.folders.add(entry.name)
                found.names.append(entry.name)
            elif _is_wanted(entry.name, suffixes, longer) and _is_file(entry):
                found.names.append(entry.name)
            elif passed_over is not None:
                passed_over[PurePath(entry.name).suffix.lower()] += 1
    found.names.sort(reverse=True)
    return found


def _is_wanted(name: str, suffixes: Collection[str], longer: tuple[str, ...]) -> bool:
    """Whether a file is one by its name; ``._x.wav`` holds what macOS knows of ``x.wav`` on other file systems."""
    is_one = PurePath(name).suffix.lower() in suffixes or name.lower().endswith(longer)
    return is_one and not name.startswith("._")


def endings(passed_over: Counter[str]) -> str:
    """What a walk passed over, the most frequent first: ``3 .m4a, 1 .wma, 1 without an ending``."""
    return ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in passed_over.most_common())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry).exists())
    except OSError:
        return True
