"""Which column of a source is what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Format = Literal["auto", "jsonl", "csv", "tsv", "parquet", "columns", "parallel", "folder", "hub", "pages", "text"]
"""Of sources of rows."""
KEYS = ("input", "id", "start", "end", "duration", "channel", "format")
"""What may be said of the manifests that a model is run over."""


class Naming(Protocol):
    """What reading a source asks of a recipe's ``data:``; without a recipe, `Columns` say it."""

    @property
    def format(self) -> str:
        """Of the sources."""

    @property
    def columns(self) -> Sequence[str] | None:
        """Names of the columns of a column file, in their order."""

    @property
    def input(self) -> str:
        """Column of the input."""

    @property
    def target(self) -> str:
        """Column of the target."""

    @property
    def id(self) -> str | None:
        """Column that names a row."""

    @property
    def start(self) -> str | None:
        """Column of a span's start."""

    @property
    def end(self) -> str | None:
        """Column of a span's end."""

    @property
    def duration(self) -> str | None:
        """Column of a span's length."""

    @property
    def channel(self) -> str | None:
        """Column of a recording's channel."""


@dataclass(frozen=True)
class Columns:
    """A `Naming` by itself; see `seqpipe.config.recipe.DataConfig`, whose defaults these are."""

    format: str = "auto"
    columns: Sequence[str] | None = None
    input: str = "path"
    target: str = "text"
    id: str | None = None
    start: str | None = None
    end: str | None = None
    duration: str | None = None
    channel: str | None = None
