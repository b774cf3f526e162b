"""What a row's input is: the span of a file, and the segment of an input that is too long to be answered at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
