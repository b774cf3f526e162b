"""Which recordings answers are of, and what they are called: as reference transcripts do, and each otherwise."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from seqpipe.core.input import FileSpan
from seqpipe.core.suffixes import FILE_SUFFIXES
from seqpipe.inference.formats.store import readable

NAME_BYTES = 200
"""Of a name; sclite 2.4.10 takes some 250."""
CHANNEL = "1"
"""Of a recording whose channels aren't told apart."""

_ENDINGS = "|".join(re.escape(ending) for ending in sorted(FILE_SUFFIXES))
_FILE = re.compile(rf"(?P<path>.+(?:{_ENDINGS}))(?:@[0-9.e+]+)?", re.IGNORECASE | re.DOTALL)
"""The id of a file, or of a part of one from a second on."""
_PATH = re.compile(r"(?:/|\.\.?/).*|.*/[^/]*:[0-9]+", re.DOTALL)
"""Other ids that are paths: of files whose ending says nothing, of rows of a table that holds recordings."""


class Recording(NamedTuple):
    """What an answer is of.

    Attributes:
        of: an id, or a path, which parts and channels of a recording share.
        channel: as NIST's tools count them, from 1.
        part: tells parts from one another.
    """

    of: str
    channel: str
    part: str = ""


def recording_of_row(row: Any) -> Recording:
    """What the answer to a row (a `Row`, a `Failure`, a path) is of.

    Of a row that is a part of a file or one of its channels this is the file, since times count from its start; else
    what its id says.
    """
    row_id = row.id if hasattr(row, "id") else str(row)
    span = getattr(row, "input", None)
    if not isinstance(span, FileSpan) or not isinstance(span.source, Path):
        return recording_of(row_id)
    end = "" if span.end is None else f"{span.end:g}"
    channel, part = str(span.channel or CHANNEL), f"{span.start:g}-{end}"
    whole = row_id.removesuffix(span.part)
    if _ends_with(span.source, whole):
        return Recording(whole, channel, part)
    if not span.is_whole or (span.channel is not None and not row_id.endswith(f"#{span.channel}")):
        written = (value for value in row.columns.values() if isinstance(value, str) and _ends_with(span.source, value))
        return Recording(next(written, str(span.source)), channel, part)
    return recording_of(row_id)


def recording_group(row: Any) -> str | None:
    """The recording that a row is a part or a channel of; None of a whole one."""
    span = getattr(row, "input", None)
    if not isinstance(span, FileSpan) or span.path is None or (span.is_whole and span.channel is None):
        return None
    return str(span.path)


def _ends_with(path: Path, written: str) -> bool:
    """Whether a path may have been written so, by somebody who stood in one of its folders."""
    parts = PurePosixPath(written).parts
    return bool(parts) and path.parts[-len(parts) :] == parts


def recording_of(row_id: str) -> Recording:
    """Recording and channel that an answer's id names.

    Example:
        >>> recording_of("a/b.wav@3.2#2")
        Recording(of='a/b.wav', channel='2', part='a/b.wav@3.2#2')
    """
    whole, channel = re.fullmatch(r"(.*?)(?:#([0-9]{1,4}))?", row_id, re.DOTALL).groups()  # type: ignore[union-attr]
    found = _FILE.fullmatch(whole)
    return Recording(found["path"] if found else whole, channel or CHANNEL, row_id)


def plain_name(name: str) -> str:
    """A name without what parts fields, ends lines, or makes a line a comment."""
    name = re.sub(r"[\s\x00-\x1f\x7f]", "_", readable(name)) or "_"
    return re.sub(r"^[;*]+", lambda found: "_" * len(found[0]), name)


class RecordingNames:
    """Gives each recording a name that no other one has.

    That is a row's own id, and of a path its last part without the ending: ``b`` of ``a/b.wav``. Where another one that
    is called so came before, its folders stand before it (``a_b``), or else a hash behind it. So names depend on the
    inputs before alone, and shards that have been told of all inputs agree. Case doesn't tell names apart, since sclite
    takes no notice of it. What was answered a second time, the same part of the same channel, has a number behind its
    name, as files have.

    Memory grows by some 250 bytes with each input.
    """

    def __init__(self) -> None:
        self._owners: dict[int, int] = {}  # of names, as hashes: whose they are
        self._times: dict[int, int] = {}  # how often an id was answered

    def noting(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Rows as they come, whose recordings have their names from here on."""
        for row in rows:
            self.add(recording_of_row(row))
            yield row

    def of_answer(self, recording: Recording) -> str:
        """What CTM's first field is of the next answer."""
        name = self.add(recording)
        key = _hash("\0".join(recording))
        self._times[key] = times = self._times.get(key, 0) + 1
        if times > 1:
            numbers = (f"{name}~{number}" for number in count(times))
            name = next(numbered for numbered in numbers if self._take(numbered, f"{recording.of}\0\0{times}"))
        return name

    def add(self, recording: Recording) -> str:
        """Give a recording its name; the same each time."""
        return next(name for name in _names(recording.of) if self._take(name, recording.of))

    def _take(self, name: str, owner: str) -> bool:
        """Have the name, unless somebody else has it."""
        key = _hash(owner)
        return self._owners.setdefault(_hash(name.casefold()), key) == key


def _names(recording: str) -> Iterator[str]:
    """What a recording may be called, the best first."""
    names = [recording]
    if _FILE.fullmatch(recording) or _PATH.fullmatch(recording):
        path = PurePosixPath(recording)
        last = path.name if ":" in path.suffix else path.stem
        names = [last, "_".join([*(part for part in path.parts[:-1] if part not in ("/", "..")), last])]
    plain = [plain_name(name) for name in names]
    for name in plain:
        yield name if len(name.encode()) <= NAME_BYTES else _hashed(name, recording)
    yield _hashed(plain[0], recording)
    yield from (_hashed(plain[0], f"{recording}\0{number}") for number in count())  # whom chance has met


def _hashed(name: str, recording: str) -> str:
    """As much of a name as there is room for, and a hash of what it is of."""
    kept = name.encode()[: NAME_BYTES - 17].decode("utf-8", "ignore")
    return f"{kept}~{_hash(recording):016x}"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
