"""A text after the rules of its normalisation, each character with the place that it came from."""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from seqpipe.text.rules import TextRule, apply_rules


class NormalizedText(NamedTuple):
    """A normalised text.

    Attributes:
        text: after the rules.
        starts: for each of its characters, the offset in the original of what it was made of.
        ends: where that ends.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def normalize(text: str, rules: Sequence[TextRule]) -> NormalizedText:
    """Apply the rules in their order, as `apply_rules` does to the whole text, keeping places.

    Characters that are composed or parted have the place of all that they were made of.

    Example:
        >>> normalize("A  b", ["lowercase", "collapse_spaces"])
        NormalizedText(text='a b', starts=[0, 1, 3], ends=[1, 3, 4])
    """
    found = NormalizedText(text, range(len(text)), range(1, len(text) + 1))
    for rule in rules:
        changed = apply_rules(found.text, [rule])
        if changed == found.text:
            continue
        starts: list[int] = []
        ends: list[int] = []
        for start, end, length in _parts(found.text, rule):
            starts += [found.starts[start]] * length
            ends += [found.ends[end - 1]] * length
        found = NormalizedText(changed, starts, ends)
    return found


_Part = tuple[int, int, int]
"""Beginning and end of a stretch of text, and how many characters a rule makes of it."""


def _parts(text: str, rule: TextRule) -> Iterator[_Part]:
    """The shortest stretches that a rule changes each by itself; what it makes of them, in order, is the whole."""
    match rule:
        case "nfc":
            yield from _composed(text, "NFC", "NFD")
        case "nfkc":
            yield from _composed(text, "NFKC", "NFKD")
        case "collapse_spaces":
            yield from _collapsed(text)
        case _:  # A capital sigma's small letter depends on what is around it, but is one character in any case.
            for place, sign in enumerate(text):
                yield place, place + 1, len(apply_rules(sign, [rule]))


def _composed(text: str, form: Literal["NFC", "NFKC"], parted: Literal["NFD", "NFKD"]) -> Iterator[_Part]:
    """Between two characters of which the second neither combines with what is before it nor changes places with it.

    Source: Unicode Standard Annex #15, "Concatenation of Normalized Strings".
    """
    borders = [place for place, sign in enumerate(text) if place == 0 or _begins(sign, parted)]
    for start, end in pairwise([*borders, len(text)]):
        part = text[start:end]
        made = unicodedata.normalize(form, part)
        if made == part:
            yield from ((place, place + 1, 1) for place in range(start, end))
        else:
            yield start, end, len(made)


@functools.lru_cache(2**14)
def _begins(sign: str, parted: Literal["NFD", "NFKD"]) -> bool:
    first = unicodedata.normalize(parted, sign)[0]
    return not unicodedata.combining(first) and first not in _joining()


@functools.cache
def _joining() -> frozenset[str]:
    """Characters that are no combining marks, and compose with the one before them."""
    parts = (unicodedata.decomposition(chr(code)).split() for code in range(sys.maxunicode + 1))
    seconds = {chr(int(pair[1], 16)) for pair in parts if len(pair) == 2 and not pair[0].startswith("<")}
    hangul = [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]  # vowels and finals, which are composed by arithmetic
    return frozenset(sign for sign in seconds if not unicodedata.combining(sign)) | frozenset(map(chr, hangul))


def _collapsed(text: str) -> Iterator[_Part]:
    """Runs of white space as one space, none at the ends."""
    start = 0
    for is_space, run in groupby(text, key=str.isspace):
        end = start + len(list(run))
        if is_space:
            yield start, end, int(start > 0 and end < len(text))
        else:
            yield from ((place, place + 1, 1) for place in range(start, end))
        start = end
