"""A text that somebody has written, in a model's units: what the units lack is folded, passed over or bridged."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from seqpipe.core.item import Item
from seqpipe.errors import InputError
from seqpipe.text.bidi import BaseDirection, display_order, display_text
from seqpipe.text.normalized_text import normalize
from seqpipe.text.rules import TextRule
from seqpipe.text.splitting import split_words
from seqpipe.text.units import SentencePieceUnits, Units
from seqpipe.text.validity import unfit

UNSPOKEN = ("P", "M", "C")
"""Categories of Unicode of characters that are passed over within a word where the units lack them: punctuation, marks,
and what is not seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """A text and the labels that it is aligned by, in the order of the input.

    Attributes:
        text: as it was given.
        words: of the text, with their places in it.
        labels: of CTC: the number of a unit + 1; the number of units + 1 is the wildcard, which stands for what the
            units can't spell.
        pieces: how each label is written: the unit, or for a wildcard the characters of the text.
        owners: the word that each label is of; None of a space between words.
        wildcard: its label.
    """

    text: str
    words: Sequence[Item]
    labels: Sequence[int]
    pieces: Sequence[str]
    owners: Sequence[int | None]
    wildcard: int


def spell(
    text: str, units: Units, rules: Sequence[TextRule] = (), base_direction: BaseDirection | None = None
) -> Spelling:
    """Spell a text after the rules; white space is one space, whatever the rules.

    A character that the units lack is written in its other case, or without accents, where the units have that. In a
    word that can be spelt otherwise, punctuation is then passed over. Digits, letters and other signs are a wildcard, a
    run of them one, and so is a word of which nothing can be spelt (``7``, ``%``, ``-``). A word that the rules remove
    has no labels.

    Raises:
        InputError: there is no word, the text is no text, or nothing in it can be spelt.

    Example:
        >>> from seqpipe.text.units import Characters
        >>> spelling = spell("At 7!", Characters("at "))
        >>> spelling.pieces, spelling.owners
        (['a', 't', ' ', '7!'], [0, 0, None, 1])
    """
    if what := unfit(text):
        raise InputError("bad value", f"the text to align {what}")
    words = split_words(text, "whitespace")
    if not words:
        raise InputError("empty", "the text to align is empty; give one with words, or leave the row out")
    normal = normalize(text, [*rules, "collapse_spaces"])
    if base_direction is None:
        shown, order = normal.text, list(range(len(normal.text)))
    else:
        shown, order = display_text(normal.text, base_direction), display_order(normal.text, base_direction)
    known = _characters(units)
    begins = [word.start for word in words]
    owner_of = [bisect_right(begins, normal.starts[place]) - 1 for place in order]
    wildcard = len(units) + 1
    labels: list[int] = []
    pieces: list[str] = []
    owners: list[int | None] = []
    for is_known, run in groupby(_folded(shown, known), key=lambda found: found[0] is not None):
        signs = list(run)
        if is_known:
            for number, place in _units("".join(sign or "" for sign, _ in signs), units):
                labels.append(number + 1)
                pieces.append(units.piece(number))
                owners.append(owner_of[signs[place][1]] if pieces[-1].strip() else None)
        else:
            labels.append(wildcard)
            pieces.append("".join(shown[place] for _, place in signs))
            owners.append(owner_of[signs[0][1]])
    if not any(label != wildcard and owner is not None for label, owner in zip(labels, owners, strict=True)):
        raise InputError(
            "unknown character",
            f"of the text {text!r:.80} nothing can be spelt: the vocabulary of {len(known)} characters lacks all of "
            "its own; is it in the language of the model?",
        )
    return Spelling(text, words, labels, pieces, owners, wildcard)


def _characters(units: Units) -> frozenset[str]:
    """All that occur in the units."""
    pieces = units.scores() if isinstance(units, SentencePieceUnits) else map(units.piece, range(len(units)))
    return frozenset("".join(pieces))


def _folded(shown: str, known: frozenset[str]) -> Iterator[tuple[str | None, int]]:
    """Characters as the units have them, None in the place of a part of a wildcard; each with its place."""
    place = 0
    table = {sign: _fold(sign, known) for sign in set(shown)}
    for word in shown.split(" "):
        spelt = [table[sign] for sign in word]
        is_bridged = not any(spelt)
        for offset, (sign, found) in enumerate(zip(word, spelt, strict=True)):
            if found or is_bridged or unicodedata.category(sign)[0] not in UNSPOKEN:
                yield found, place + offset
        place += len(word)
        if place < len(shown):
            if " " in known:
                yield " ", place
            place += 1


def _fold(sign: str, known: frozenset[str]) -> str | None:
    """A character as the units have it: in its other case, without accents; None if not at all."""
    base = unicodedata.normalize("NFKD", sign)[:1]
    ways = (sign, sign.lower(), sign.upper(), base, base.lower(), base.upper())
    return next((way for way in ways if way in known and len(way) == 1), None)


def _units(text: str, units: Units) -> Iterator[tuple[int, int]]:
    """The units of a text, each with the place of its last character."""
    if isinstance(units, SentencePieceUnits):
        for number, (_, end) in zip(units.encode(text), units.offsets(text), strict=True):
            yield number, max(0, end - 1)
    else:
        yield from zip(units.encode(text), range(len(text)), strict=True)
