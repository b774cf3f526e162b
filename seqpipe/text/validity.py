"""What makes a text unfit to be an input: bytes that are no UTF-8, null characters, half a pair, piles of marks."""

from __future__ import annotations

import codecs
import unicodedata
from itertools import groupby

MAX_MARKS = 1000
"""Combining marks in a row: more than any that are drawn over each other for fun."""

_BYTE_ORDER_MARKS = {
    mark.decode(errors="surrogateescape"): name
    for mark, name in (
        (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16's, which it begins with
        (codecs.BOM_UTF32_BE, "UTF-32"),
        (codecs.BOM_UTF16_LE, "UTF-16"),
        (codecs.BOM_UTF16_BE, "UTF-16"),
    )
}


def undecoded(text: str) -> str | None:
    """What to say of a text that was decoded with ``surrogateescape`` from bytes that are no UTF-8; else None."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if encoding := next((name for mark, name in _BYTE_ORDER_MARKS.items() if text.startswith(mark)), None):
            return f"is not UTF-8 text but {encoding}, by the byte order mark at its beginning; save it as UTF-8"
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"is not UTF-8 text (byte 0x{code - 0xDC00:02x})"
        return f"holds half a surrogate pair (U+{code:04X}), which is no character"
    return None


def unfit(text: str) -> str | None:
    """What to say of a text that can't be an input, or stand in a line of output; None of all others.

    A null character is how a damaged file looks (a disk that filled up, UTF-16 read as UTF-8), and no text has one. Of
    combining marks in a row, which CPython 3.11 brings into Unicode's order in a time that grows by their square, no
    language needs more than 30 (Unicode Standard Annex #15, "Stream-Safe Text Format").
    """
    if what := undecoded(text):  # first, since UTF-16 holds null characters too
        return what
    return "holds a null character" if "\0" in text else piled(text)


def piled(text: str) -> str | None:
    """What to say of a text in which more than `MAX_MARKS` combining marks follow one another; else None."""
    if len(text) > MAX_MARKS and not text.isascii() and _has_marks(text):
        return f"holds more than {MAX_MARKS} combining marks in a row"
    return None


def _has_marks(text: str) -> bool:
    """Whether it is so: then a mark stands at one of every `MAX_MARKS` places."""
    for place in range(MAX_MARKS, len(text), MAX_MARKS):
        if unicodedata.combining(text[place]):
            around = text[place - MAX_MARKS : place + MAX_MARKS + 1]
            if any(is_mark and len(list(run)) > MAX_MARKS for is_mark, run in groupby(around, _is_mark)):
                return True
    return False


def _is_mark(sign: str) -> bool:
    return unicodedata.combining(sign) > 0
