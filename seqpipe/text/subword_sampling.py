"""The same text in other units every time: BPE dropout and unigram sampling, while training."""

from __future__ import annotations

import bisect
import itertools
import math
import random
from array import array
from collections.abc import Sequence
from typing import Literal, Protocol

from seqpipe.core.randomness import RowKey
from seqpipe.errors import ConfigError
from seqpipe.text.units import SentencePieceUnits

MAX_KEPT, LONGEST_KEPT = 2_000_000, 20
"""Numbers that are kept of words that were met, some 20 MB; and characters of a word that is kept at all: where nothing
stands between words, a whole sentence is one, and comes once."""
SPELLINGS = 64
"""The likeliest ones of a word that unigram sampling draws from; as many as Kudo (2018) took for whole sentences."""


class Spell(Protocol):
    """Draws a spelling of a word."""

    size: int
    """Numbers that it keeps."""

    def __call__(self, numbers: random.Random) -> Sequence[int]:
        """Units of the word."""
        ...


class SampledSpelling:
    """Texts in SentencePiece units, drawn anew each time.

    SentencePiece draws too, from a generator that belongs to the thread and can't be put back to where a row stood; so
    what is drawn here depends on the `RowKey` alone. Units never cross spaces, so words are spelt one by one, which is
    the same thing. A word that holds unknown characters is spelt as always.

    Args:
        units: of this kind.
        kind: ``bpe`` or ``unigram``.
        bpe_dropout: probability that a merge is left out, at every step anew (Provilkov et al. 2020); of ``bpe``.
        unigram_sampling: a spelling is drawn with its probability to the power of this (alpha of Kudo 2018; 0.1 to 0.5
            are usual, less is wilder), out of the `SPELLINGS` likeliest ones of each word; of ``unigram``.
    """

    def __init__(
        self,
        units: SentencePieceUnits,
        kind: Literal["bpe", "unigram"],
        *,
        bpe_dropout: float = 0.0,
        unigram_sampling: float | None = None,
    ) -> None:
        self.units, self.kind = units, kind
        self.bpe_dropout, self.unigram_sampling = bpe_dropout, unigram_sampling
        self._scores = units.scores()
        self._numbers = {sign: number for sign in self._scores if (number := units.number(sign)) is not None}
        self._by_number = {number: self._scores[sign] for sign, number in self._numbers.items()}
        self._met: dict[str, Spell] = {}
        self._kept = 0

    def encode(self, text: str, key: RowKey) -> list[int]:
        """Numbers of a text, with that of the unknown unit for what the units lack."""
        numbers = random.Random(int(key.child("spelling").generator().integers(2**63)))
        found: list[int] = []
        for word in text.split(" "):  # SentencePiece's white space: other kinds are characters of a unit
            if word:
                found += self._spell(word)(numbers)
        return found

    def _spell(self, word: str) -> Spell:
        spell = self._met.get(word)
        if spell is None:
            spell = self._by_merges(word) if self.kind == "bpe" else self._by_probability(word)
            if len(word) <= LONGEST_KEPT:
                self._kept += spell.size
                if self._kept > MAX_KEPT:
                    self._met.clear()
                    self._kept = spell.size
                self._met[word] = spell
        return spell

    def _by_merges(self, word: str) -> Spell:
        if any(sign not in self._scores for sign in f" {word}"):
            return _Always(self.units.encode_with_unknown(word))
        return _Merges(f" {word}", self._scores, self._numbers, self.bpe_dropout)

    def _by_probability(self, word: str) -> Spell:
        spellings = self.units.likeliest(word, SPELLINGS)
        power = self.unigram_sampling or 0.0
        if len(spellings) < 2 or any(number not in self._by_number for number in spellings[0]):
            return _Always(self.units.encode_with_unknown(word))
        logs = [power * sum(self._by_number[number] for number in spelling) for spelling in spellings]
        top = max(logs)
        return _Choice(spellings, list(itertools.accumulate(math.exp(log - top) for log in logs)))


class _Always:
    def __init__(self, numbers: list[int]) -> None:
        self.numbers = array("i", numbers)
        self.size = len(numbers)

    def __call__(self, numbers: random.Random) -> Sequence[int]:
        return self.numbers


class _Choice:
    def __init__(self, spellings: list[list[int]], sums: list[float]) -> None:
        self.spellings, self.sums = [array("i", spelling) for spelling in spellings], array("d", sums)
        self.size = sum(map(len, spellings)) + 2 * len(sums)

    def __call__(self, numbers: random.Random) -> Sequence[int]:
        place = bisect.bisect_right(self.sums, numbers.random() * self.sums[-1])
        return self.spellings[min(place, len(self.spellings) - 1)]


class _Merges:
    """Pairs are merged as SentencePiece does it, the highest score first and the leftmost of equals."""

    def __init__(self, word: str, scores: dict[str, float], numbers: dict[str, int], dropout: float) -> None:
        self.word, self.scores, self.numbers, self.dropout = word, scores, numbers, dropout
        self.size = len(word)

    def __call__(self, numbers: random.Random) -> Sequence[int]:
        signs = list(self.word)
        while True:
            best, place = -math.inf, -1
            for left in range(len(signs) - 1):
                score = self.scores.get(signs[left] + signs[left + 1])
                if score is not None and score > best and numbers.random() >= self.dropout:
                    best, place = score, left
            if place < 0:
                return [self.numbers[sign] for sign in signs]
            signs[place : place + 2] = [signs[place] + signs[place + 1]]


def sampled_spelling(
    units: object, kind: str, *, bpe_dropout: float, unigram_sampling: float | None
) -> SampledSpelling | None:
    """What a stage with these options spells with while training; None if it asks for neither."""
    if not isinstance(units, SentencePieceUnits) or (not bpe_dropout and unigram_sampling is None):
        return None
    return SampledSpelling(
        units, "bpe" if kind == "bpe" else "unigram", bpe_dropout=bpe_dropout, unigram_sampling=unigram_sampling
    )


def check_sampling(kind: str, *, bpe_dropout: float, unigram_sampling: float | None) -> None:
    """Whether the options go with the units.

    Raises:
        ConfigError: they don't; it names the option.
    """
    for name, given, needed in (
        ("bpe_dropout", bpe_dropout > 0, "bpe"),
        ("unigram_sampling", unigram_sampling is not None, "unigram"),
    ):
        if given and kind != needed:
            raise ConfigError([((name,), f"goes with {needed} units; they are {kind}")])
