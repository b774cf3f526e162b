"""Rows of values as aligned columns of text."""

from __future__ import annotations

from collections.abc import Sequence


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: numbers to the right, words to the left.

    Example:
        >>> print("\\n".join(columns(["fold", "wer"], [["1", "10.00"], ["mean", "9.50"]])))
        fold    wer
        1     10.00
        mean   9.50
    """
    table = [list(header), *map(list, rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    right = [
        index > 0 and all(_is_number(row[index]) for row in table[1:] if row[index]) for index in range(len(header))
    ]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in table
    ]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
