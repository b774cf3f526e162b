"""Texts into words, with their places."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from seqpipe.errors import InputError
from seqpipe.item import Item

Split = Literal["whitespace", "punctuation"]
"""Where a text comes apart: at white space alone, for text that is tokenised already; or around punctuation too."""

_WORDS: dict[str, re.Pattern[str]] = {
    "whitespace": re.compile(r"\S+"),
    # A number with its points and commas; a word with apostrophes, hyphens and combining marks inside; a run of one
    # and the same sign ("..."); or any other sign by itself.
    "punctuation": re.compile(
        r"\d+(?:[.,:]\d+)*|n't\b|(?:(?!n't\b)[^\W\d_][\u0300-\u036f\u200d]*|\d)+(?:[-_](?:[^\W_]|[\u0300-\u036f])+)*"
        r"|['\u2019](?:s|re|ve|ll|d|m|t)\b|([^\w\s])\1*[\ufe0f\u200d]*|\S",
        re.IGNORECASE,
    ),
}


def split_words(text: str, split: Split) -> list[Item]:
    """The words of a text in their order, with character offsets.

    Args:
        text: any.
        split: ``whitespace``, or ``punctuation``, which also parts signs and English contractions from words.

    Example:
        >>> [item.text for item in split_words("Don't go there, it's 3.50!!", "punctuation")]
        ['Do', "n't", 'go', 'there', ',', 'it', "'s", '3.50', '!!']
    """
    return [Item(match[0], *match.span()) for match in _WORDS[split].finditer(text)]


def joined(words: Sequence[str]) -> list[Item]:
    """Words that come apart already, with their places in the words joined by single spaces."""
    items, start = [], 0
    for word in words:
        items.append(Item(word, start, start + len(word)))
        start += len(word) + 1
    return items


def checked_text(raw: Any) -> str | list[str]:
    """An input that a text stage can read: a string, or a list of words.

    Raises:
        InputError: it is neither, holds a null character, or bytes that were no UTF-8.
    """
    if isinstance(raw, str):
        _check_string(raw)
        return raw
    if isinstance(raw, (list, tuple)) and all(isinstance(word, str) for word in raw):
        for number, word in enumerate(raw, 1):
            if not word.strip():
                raise InputError("bad value", f"word {number} of {len(raw)} is empty")
            _check_string(word)
        return list(raw)
    shown = repr(raw)
    raise InputError(
        "bad value",
        f"a text (or a list of words) is wanted; received {type(raw).__name__} {shown[:60]}"
        f"{' ...' if len(shown) > 60 else ''}",
    )


def _check_string(text: str) -> None:
    if "\0" in text:
        raise InputError("bad value", f"the text holds a null character, at offset {text.index(chr(0))}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError("bad value", f"the text is not valid Unicode, at offset {error.start}") from None
