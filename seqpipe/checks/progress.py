"""A bar that shows how far the reading of a part is."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from seqpipe.data.rows import Row


def track_rows(rows: list[Row], name: str) -> Iterable[Row]:
    """The rows, with a bar on standard error while they are gone through, if that is a terminal."""
    if not sys.stderr.isatty():
        return rows
    from rich.console import Console
    from rich.progress import track

    return track(rows, description=f"reading {name}", console=Console(stderr=True), transient=True)
