"""What a row's input is, where it is more than a text or an array: a file, a span of one, a segment of a long one."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from seqpipe.core.file_names import normal_name


@runtime_checkable
class Input(Protocol):
    """An input that is read from somewhere."""

    @property
    def name(self) -> str | None:
        """What answers are called that have no other name; None if it has none."""

    @property
    def path(self) -> Path | None:
        """The file that is read; None of what is in memory."""

    @property
    def group(self) -> Hashable | None:
        """Inputs of one group that follow one another are read by one machine; None of what stands by itself."""

    def identity(self) -> Hashable:
        """What tells it from others of its data set, wherever that lies: names and sizes of files, no folders."""

    def record(self) -> dict[str, Any]:
        """It as plain data, with absolute paths."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """A file that is an input (a recording, an image), or a part of a recording.

    Attributes:
        source: path of a file, or the bytes of one.
        start: seconds from the beginning of the file, at least 0.
        end: seconds from the beginning of the file, or None for its end.
        channel: of a recording that has several, from 1; None leaves to the reader what becomes of them.
        page: of an image that has several, from 1; likewise.
    """

    source: Path | bytes
    start: float = 0.0
    end: float | None = None
    channel: int | None = None
    page: int | None = None

    def __str__(self) -> str:
        name = f"<{len(self.source)} bytes>" if isinstance(self.source, bytes) else str(self.source)
        name += self._number
        if self.is_whole:
            return name
        return f"{name} [{self.start:g} s to {'the end' if self.end is None else f'{self.end:g} s'}]"

    @property
    def is_whole(self) -> bool:
        """Whether it goes from the beginning of the file to its end."""
        return self.start == 0 and self.end is None

    @property
    def name(self) -> str | None:
        """``path@start#channel`` or ``path#page``, as far as these are given; None of bytes."""
        if isinstance(self.source, bytes):
            return None
        return f"{self.source}{self.part}"

    @property
    def part(self) -> str:
        """``@start#channel`` or ``#page``, as far as these are given: what a name has behind the file's."""
        return (f"@{self.start:g}" if self.start else "") + self._number

    @property
    def _number(self) -> str:
        number = self.channel if self.channel is not None else self.page
        return "" if number is None else f"#{number}"

    @property
    def path(self) -> Path | None:
        """Of the file."""
        return None if isinstance(self.source, bytes) else self.source

    @property
    def group(self) -> None:
        """None: files stand by themselves."""
        return None

    def identity(self) -> Hashable:
        """Name and size of the file (a hash of bytes), the span, and the channel or page if it has one."""
        part: tuple[Any, ...] = (self.start, self.end, *([] if self.channel is None else [self.channel]))
        part += () if self.page is None else ("page", self.page)
        if isinstance(self.source, bytes):
            return hashlib.sha256(self.source).hexdigest(), *part
        return normal_name(self.source.name), file_size(self.source), *part

    def record(self) -> dict[str, Any]:
        """Path (of bytes a hash), span, and the channel or page if it has one."""
        if isinstance(self.source, bytes):
            where = {"sha256": hashlib.sha256(self.source).hexdigest()}
        else:
            where = {"path": str(self.source.absolute())}
        channel = {} if self.channel is None else {"channel": self.channel}
        page = {} if self.page is None else {"page": self.page}
        return {**where, "start": self.start, "end": self.end, **channel, **page}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an input that is too long to be answered at once.

    The segments of an input divide it among them without a gap. Each hears somewhat more than its own share, so that
    what stands at a border is whole in one of two segments at least.

    Attributes:
        raw: what the features read: the share and the overlap on both sides.
        start: where the share begins, counted from the beginning of the file, in the measure of the reader (seconds for
            audio, tokens of a text).
        end: where it ends; the next segment's start.
        overlap: how much is heard beyond each border with another segment.
    """

    raw: Any
    start: float
    end: float
    overlap: float = 0.0


def file_size(path: Path) -> int:
    """In bytes; -1 of a file that is missing, which is named elsewhere."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
