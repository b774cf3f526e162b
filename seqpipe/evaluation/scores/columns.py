"""Rows of values as aligned columns of text."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO


def columns(table: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Lines of a table (rich): columns of numbers to the right, but for the first; words to the left.

    Args:
        table: the first row may be a header; all rows have as many cells.
        indent: before every line.

    Example:
        >>> print("\\n".join(columns([["fold", "wer"], ["1", "10.00"], ["mean", "9.50"]])))
        fold    wer
        1     10.00
        mean   9.50
    """
    if not table:
        return []
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for number, cells in enumerate(zip(*table, strict=True)):
        numeric = number > 0 and all(_is_number(cell) for cell in cells[1:] if cell)
        shown.add_column(justify="right" if numeric else "left", no_wrap=True)
    for row in table:
        shown.add_row(*(Text(cell) for cell in row))
    # Wide enough for any table: what a terminal makes of long lines is its own affair.
    console = Console(file=StringIO(), width=100_000, color_system=None)
    with console.capture() as captured:
        console.print(shown)
    return [(indent + line).rstrip() for line in captured.get().splitlines()]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
