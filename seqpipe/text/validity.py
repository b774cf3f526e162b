"""What makes a text unfit to be an input: bytes that are no UTF-8, null characters, half a surrogate pair."""

from __future__ import annotations


def undecoded(text: str) -> str | None:
    """What to say of a text that was decoded with ``surrogateescape`` from bytes that are no UTF-8; else None."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"is not UTF-8 text (byte 0x{code - 0xDC00:02x})"
        return f"holds half a surrogate pair (U+{code:04X}), which is no character"
    return None


def unfit(text: str) -> str | None:
    """What to say of a text that can't be an input, or stand in a line of output; None of all others.

    A null character is how a damaged file looks (a disk that filled up, UTF-16 read as UTF-8), and no text has one.
    """
    if "\0" in text:
        return "holds a null character"
    return undecoded(text)
