"""A row of data, the span of a recording, and the piece of a long one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqpipe.errors import InputError


@dataclass(frozen=True, slots=True)
class FileSpan:
    """A file that is an input (a recording, an image), or a part of a recording.

    Attributes:
        source: path of a file, or the bytes of one.
        start: seconds from the beginning of the file, at least 0.
        end: seconds from the beginning of the file, or None for its end.
    """

    source: Path | bytes
    start: float = 0.0
    end: float | None = None

    def __str__(self) -> str:
        name = f"<{len(self.source)} bytes>" if isinstance(self.source, bytes) else str(self.source)
        if self.start == 0 and self.end is None:
            return name
        return f"{name} [{self.start:g} s to {'the end' if self.end is None else f'{self.end:g} s'}]"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an input that is too long to be answered at once.

    The pieces of an input divide it among them without a gap. Each hears somewhat more than its own share, so that what
    stands at a border is whole in one of two pieces at least.

    Attributes:
        raw: what the features read: the share and the overlap on both sides.
        start: where the share begins, counted from the beginning of the file, in the unit in which predictions have
            their places (seconds for audio); of a text, in tokens.
        end: where it ends; the next piece's start.
        overlap: how much is heard beyond each border with another piece.
    """

    raw: Any
    start: float
    end: float
    overlap: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One example.

    Attributes:
        id: names it in messages and results: the id column, else the input's path or number.
        input: what the features read: a `FileSpan`, a string, a list of words, an array.
        target: what the head encodes (a string, or a list of tags), or None.
        number: its row in the source, counted from 1 (for a file with a header, after the header).
        source: what it was read from, for messages.
        columns: everything the source says about it.
        problem: why it can't be used, where the source itself shows it (a start that is no number, no target); else
            None. Whoever goes through rows treats it as an input that can't be read.
    """

    id: str
    input: Any
    target: Any = None
    number: int = 0
    source: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)
    problem: InputError | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Source and number: of no other row."""
        return self.source, self.number

    @property
    def where(self) -> str:
        """For messages: ``train.tsv, row 17 (an17-fash-b)``."""
        if not self.source:
            return self.id
        place = f"{self.source}, row {self.number}"
        return place if self.id == f"{self.source}:{self.number}" else f"{place} ({self.id})"
