"""How well a language model foretells texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from seqpipe.core.language_model import LanguageModel

_BATCH = 1024


@dataclass(frozen=True)
class Perplexity:
    """Sums over texts.

    Attributes:
        texts: how many.
        units: of the texts, and an end for each.
        unknown: units that the vocabulary lacks.
        characters: of the texts, and one for the end of each, as for a line's end.
        log_prob: of all units and ends, in nats.
        unknown_log_prob: of the unknown units, in nats.
    """

    texts: int
    units: int
    unknown: int
    characters: int
    log_prob: float
    unknown_log_prob: float

    @property
    def perplexity(self) -> float:
        """Of units and ends; NaN without texts."""
        return _exp(-self.log_prob, self.units)

    @property
    def known_perplexity(self) -> float:
        """Of units and ends without the unknown ones, which still stand in the contexts of others."""
        return _exp(self.unknown_log_prob - self.log_prob, self.units - self.unknown)

    @property
    def bits_per_character(self) -> float:
        """Of texts with their ends, whatever the units, so that models over different ones can be compared."""
        return -self.log_prob / math.log(2) / self.characters if self.characters else math.nan

    @property
    def unknown_share(self) -> float:
        """Out-of-vocabulary rate: unknown units over units without ends."""
        return self.unknown / (self.units - self.texts) if self.units > self.texts else 0.0


def _exp(loss: float, count: int) -> float:
    if not count:
        return math.nan
    mean = loss / count
    return math.exp(mean) if mean < 700 else math.inf


def measure_perplexity(model: LanguageModel, texts: Iterable[tuple[str, Sequence[str]]]) -> Perplexity:
    """Score texts, each on its own.

    Args:
        model: any language model.
        texts: each, and its units.
    """
    numbers = {unit: number for number, unit in enumerate(model.vocabulary)}
    end, total = len(numbers), Perplexity(0, 0, 0, 0, 0.0, 0.0)
    source = iter(texts)
    while batch := list(islice(source, _BATCH)):
        rows = sorted(([*(numbers.get(unit, -1) for unit in units), end] for _, units in batch), key=len, reverse=True)
        log_prob, unknown_log_prob = _scored(model, rows)
        total = Perplexity(
            total.texts + len(batch),
            total.units + sum(map(len, rows)),
            total.unknown + sum(row.count(-1) for row in rows),
            total.characters + sum(len(text) + 1 for text, _ in batch),
            total.log_prob + log_prob,
            total.unknown_log_prob + unknown_log_prob,
        )
    return total


def _scored(model: LanguageModel, rows: list[list[int]]) -> tuple[float, float]:
    """Log-probabilities of all units, and of the unknown ones; the longest rows come first, and ended ones leave."""
    state, sums = model.initial_state(len(rows)), [0.0, 0.0]
    count = len(rows)
    for step in range(len(rows[0])):
        while len(rows[count - 1]) <= step:
            count -= 1
        state = tuple(part[:count] for part in state)
        units = np.array([row[step] for row in rows[:count]])
        scores = model.scores_of(state, units).astype(np.float64)
        sums[0] += float(scores.sum())
        sums[1] += float(scores[units < 0].sum())
        state = model.advance(state, units)
    return sums[0], sums[1]
