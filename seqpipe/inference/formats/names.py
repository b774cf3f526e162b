"""Files that are called after the ids of answers, and stay in their folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from seqpipe.core.suffixes import FILE_SUFFIXES, Suffixes
from seqpipe.inference.formats.store import readable

PART_BYTES = 200
"""Of a folder's name, or a file's without ending. File systems take 255, a number and an ending included."""
PATH_BYTES = 600
"""Of all of a name; macOS takes 1024, the folder it is in included."""
ENDINGS_OF_FILES = (".srt", ".vtt", ".textgrid", ".ctm", ".xml", ".jsonl")


class NewFiles:
    """Opens a new file for each answer, called after its id.

    The id's folders are kept: ``a/b.flac`` becomes ``a/b.srt``, ``/data/b.wav`` ``data/b.srt``, and ``../b.wav``
    ``__/b.srt``. An ending in ``replaced`` gives way, any other stays (``list@3.2.srt``). Control characters and
    backslashes become ``_``; names that are too long are cut, and told apart by a hash of the id. Where the name is
    taken, the replaced ending stays too (``a.flac.srt`` after ``a.srt``), or a number follows (``a~2.srt``).

    Args:
        folder: new and of nobody else. What it holds tells which names are taken, so that memory doesn't grow and the
            file system's own idea of equal names counts (``A`` and ``a``).
        ending: ``.srt``, ``.ctm``, ``.xml`` and so on.
        spaces: whether names may hold white space; else ``_`` stands for it.
        replaced: endings of ids that the file's own ending takes the place of; without it those of recordings, images
            and ink.
    """

    def __init__(self, folder: Path, *, ending: str, spaces: bool = True, replaced: Suffixes = FILE_SUFFIXES) -> None:
        self.folder, self.ending, self.spaces, self.replaced = folder, ending, spaces, replaced
        self._tried: dict[str, int] = {}  # of names that very many ids share, the last number

    def open(self, row_id: str) -> tuple[str, BinaryIO]:
        """The name without ending, with ``/`` between folders, and the file, for writing."""
        *folders, last = self._parts(row_id)
        parent = self.folder.joinpath(*folders)
        parent.mkdir(parents=True, exist_ok=True)
        names = self._candidates("/".join(folders), last)
        while True:
            name = next(names)
            try:
                return "/".join([*folders, name]), (parent / f"{name}{self.ending}").open("xb")
            except FileExistsError:
                continue

    def _candidates(self, folder: str, last: str) -> Iterator[str]:
        path = PurePosixPath(last)
        stem = path.stem if path.suffix.lower() in self.replaced else last
        yield stem
        if stem != last:
            yield last
        shared = f"{folder}/{stem}"
        for number in count(self._tried.get(shared, 2)):
            if number > 16:  # few names are shared so often, and only for those it costs time to try all numbers again
                self._tried[shared] = number
            yield f"{stem}~{number}"

    def _parts(self, row_id: str) -> list[str]:
        text = re.sub(r"[\x00-\x1f\x7f\\]", "_", readable(row_id))
        if not self.spaces:
            text = re.sub(r"\s", "_", text)
        parts = ["__" if part == ".." else part for part in text.split("/") if part not in ("", ".")] or ["_"]
        if len(text.encode()) > PATH_BYTES:
            parts = parts[-1:]
        digest = hashlib.sha256(row_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        whole = len(text.encode()) <= PATH_BYTES
        *folders, last = [_cut(part, digest, whole=whole) for part in parts]
        # Folders never end as files do, so that no file's place is taken by a folder.
        return [*(f"{part}_" if part.lower().endswith(ENDINGS_OF_FILES) else part for part in folders), last]


def _cut(part: str, digest: str, *, whole: bool) -> str:
    """The part, or as much of its beginning as there is room for, and the hash."""
    if whole and len(part.encode()) <= PART_BYTES:
        return part
    ending = PurePosixPath(part).suffix
    ending = ending if ending.lower() in FILE_SUFFIXES else ""
    kept = part.removesuffix(ending).encode()[: PART_BYTES - len(digest) - len(ending) - 1].decode("utf-8", "ignore")
    return f"{kept}~{digest}{ending}"
