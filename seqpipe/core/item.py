"""What a text is a sequence of, with places in the string that the user gave."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """A word (or another part) of a text.

    Attributes:
        text: as it stands in the original.
        start: offset of its first character (code point) in the original string.
        end: offset behind its last one, so that ``original[start:end] == text``.
    """

    text: str
    start: int
    end: int
