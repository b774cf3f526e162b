"""Texts into words, with their places."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

from seqpipe.core.item import Item
from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.errors import InputError
from seqpipe.text.validity import piled

Split = Literal["whitespace", "punctuation", "signs"]
"""Where a text comes apart: at ``whitespace`` alone, for text that is tokenised already; around ``punctuation`` too; or
around ``signs`` of every kind, hyphens inside words included, so that little data has few words that stand once."""

_WORD = r"""
    (?:https?|ftp)://[^\s<>"]*[^\s<>".,;:!?'\u2019()\[\]]             # an address, without signs that end a sentence
  | www\.[^\s<>"]*[^\s<>".,;:!?'\u2019()\[\]]
  | [\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+
  | (?<!\w)[@#][^\W\d]\w*                                           # a user, a topic
  | [:;=]['^-]?(?:[()\[\]/\\|*@$]+|[DPO]{1,3})(?!\w) | <3+(?!\w) | \^_+\^
  | (?<!\w)[^\W\d_](?:\.[^\W\d_](?!\w))+\.?                         # U.S., e.g.
  | n['\u2019]t\b | ['\u2019]ENDING\b
    # A word or number: with hyphens inside, the points of numbers, and apostrophes that begin no contraction.
  | LETTER INNER* (?:(?:[-_] | (?<=\d)[.,:/](?=\d) | ['\u2019](?!ENDING\b)(?=[^\W\d_])) LETTER INNER*)*
  | [\U0001f1e6-\U0001f1ff]{2}                                        # a flag
  | ([^\w\s]|_) \1* (?:MARK|SKIN)* (?:\u200d[^\w\s](?:MARK|SKIN)*)*   # a run of one sign, or an emoji and what it joins
  | \S
"""

_PART = r"""
    n['\u2019]t\b | ['\u2019]ENDING\b
  | LETTER INNER*
  | [^\w\s](?:MARK|SKIN)* | \S
"""


@functools.cache
def _pattern(split: Split) -> re.Pattern[str]:
    """What is a word. Every part takes time linear in what it matches, and looks ahead no further than 128 signs."""
    if split == "whitespace":
        return re.compile(r"\S+")
    pattern = _WORD if split == "punctuation" else _PART
    marks = "".join(sign for sign in map(chr, range(0x20000)) if unicodedata.category(sign)[0] == "M")
    parts = {
        "INNER": r"(?:LETTER|MARK|[\u200c\u200d])",  # joiners too, as Persian and Hindi have them inside words
        "LETTER": r"(?:(?!n['\u2019]t\b)[^\W_])",
        # The re module knows no class for them, and they are no part of \w. One folds to an iota, hence with case.
        "MARK": rf"(?-i:[{marks}])",
        "SKIN": r"[\U0001f3fb-\U0001f3ff]",
        "ENDING": r"(?:s|re|ve|ll|d|m|t)",
    }
    for name, part in parts.items():
        pattern = pattern.replace(name, part)
    return re.compile(pattern, re.IGNORECASE | re.VERBOSE)


def words_of(text: str) -> list[str]:
    """The words of a text wherever words are counted, placed or scored: what stands between white space.

    White space is what Unicode calls so (no-break spaces are, zero-width ones aren't), and the separators U+001C to
    U+001F: as `str.split` and `str.isspace` have it. A run of it parts like one, and at the ends it parts nothing.

    Example:
        >>> words_of(" a\\u00a0b  c\\n")
        ['a', 'b', 'c']
    """
    return text.split()


def split_words(text: str, split: Split) -> list[Item]:
    """The words of a text in their order, with character offsets.

    Args:
        text: any.
        split: ``whitespace``; ``punctuation``, which also parts signs and English contractions from words, while
            numbers, abbreviations of single letters (U.S.), words with hyphens, addresses, emoticons, emoji and runs of
            one sign stay whole; or ``signs``, which parts these too.

    Example:
        >>> [item.text for item in split_words("Don't go there, it's 3.50!!", "punctuation")]
        ['Do', "n't", 'go', 'there', ',', 'it', "'s", '3.50', '!!']
    """
    return [Item(match[0], *match.span()) for match in _pattern(split).finditer(text)]


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
        InputError: it is neither, holds a null character or bytes that were no UTF-8, or is longer than a line may be.
    """
    if isinstance(raw, (str, list, tuple)) and (length := _characters(raw)) > MAX_LINE_BYTES:
        raise InputError("too long", f"the text has {length:,} characters; {MAX_LINE_BYTES:,} are allowed at most")
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


def _characters(raw: str | list[Any] | tuple[Any, ...]) -> int:
    return len(raw) if isinstance(raw, str) else sum(len(word) for word in raw if isinstance(word, str))


def _check_string(text: str) -> None:
    if "\0" in text:
        raise InputError("bad value", f"the text holds a null character, at offset {text.index(chr(0))}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError("bad value", f"the text is not valid Unicode, at offset {error.start}") from None
        if what := piled(text):
            raise InputError("bad value", f"the text {what}")
