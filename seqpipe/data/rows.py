"""A row of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqpipe.core.input import Input
from seqpipe.errors import InputError


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
    def files(self) -> list[Path]:
        """What it was read from, and what its input is, as far as these are files."""
        own = self.input.path if isinstance(self.input, Input) else None
        return [*([Path(self.source)] if self.source else []), *([own] if own is not None else [])]

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
