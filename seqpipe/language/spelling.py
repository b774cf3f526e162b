"""Texts as the units of a language model: words, characters, or those that a model writes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from seqpipe.language.arpa import UNKNOWN
from seqpipe.text.splitting import words_of
from seqpipe.text.units import SPACE, Characters, SentencePieceUnits, Units

Spelling = Callable[[str], list[str]]
"""The units of a text, none of which holds a blank."""

_BLANKS = str.maketrans(dict.fromkeys(" \t\n\r\v\f", SPACE))


def characters_of(text: str) -> list[str]:
    """The characters of a text, blanks as ``▁``.

    Example:
        >>> characters_of("a b")
        ['a', '▁', 'b']
    """
    return list(text.translate(_BLANKS))


def spelling_in(units: Units) -> Spelling:
    """How texts are spelt in a model's units: blanks as ``▁``, and ``<unk>`` for what the units lack."""

    def spelt(text: str) -> list[str]:
        if isinstance(units, Characters):
            return [UNKNOWN if units.number(sign) is None else sign.translate(_BLANKS) for sign in text]
        numbers = units.encode_with_unknown(text) if isinstance(units, SentencePieceUnits) else units.encode(text)
        return [units.piece(number).translate(_BLANKS) for number in numbers]

    return spelt


def likely_spelling(vocabulary: Iterable[str]) -> Spelling | None:
    """Of texts for a vocabulary: characters if it has nothing longer, else words; None for parts of words."""
    units = list(vocabulary)
    if all(len(unit) == 1 for unit in units):
        return characters_of
    return None if any(unit.startswith(SPACE) for unit in units) else words_of
