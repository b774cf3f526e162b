"""How sure scores and differences are: bootstrap and randomisation tests over counts.

A score is a function of the sum of its rows' counts, so whatever happens to rows (drawn anew, exchanged between two
runs) happens to a matrix ``[N, C]``, and the same code serves word error rates, accuracies, F1 and BLEU.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.metric import Counts
from seqpipe.core.randomness import RowKey

Scores = Callable[[Any], dict[str, float]]
LEVEL = 0.95
RESAMPLES, EXCHANGES = 2000, 10_000
_CHUNK = 4_000_000
"""Weights that are held in memory at once: 32 MB."""


@dataclass(frozen=True)
class Difference:
    """A score of two runs on the same rows.

    Attributes:
        first, second: the scores.
        interval: of second - first, 95 %, by paired bootstrap.
        p_value: how often rows exchanged at random between the runs differ at least as much.
    """

    first: float
    second: float
    interval: tuple[float, float]
    p_value: float


def grouped(counts: Counts, groups: Sequence[Hashable] | None) -> Counts:
    """Counts of rows ``[N, C]`` summed over each group, ``[G, C]``; rows themselves where ``groups`` is None."""
    if groups is None:
        return counts
    numbers: dict[Hashable, int] = {}
    places = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
    sums = np.zeros((len(numbers), counts.shape[1]), dtype=counts.dtype)
    np.add.at(sums, places, counts)
    return sums


def score_intervals(
    counts: Counts, scores: Scores, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """95 % intervals of every score: percentile bootstrap (Efron 1979; for word error rates, Bisani & Ney 2004).

    Args:
        counts: ``[N, C]``, a row a unit that is drawn with replacement: an utterance, or all those of one speaker.
        scores: of a corpus, from the sum of counts ``[C]``.
        seed: of the drawing; the same seed gives the same interval.
        resamples: corpora drawn.
    """
    drawn = [scores(total) for total in _resampled(counts, resamples, seed)]
    return {name: _interval([record[name] for record in drawn]) for name in drawn[0]} if drawn else {}


def paired_differences(
    first: Counts,
    second: Counts,
    scores: Scores,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    exchanges: int = EXCHANGES,
) -> dict[str, Difference]:
    """Every score of two runs on the same rows, and whether chance alone would explain the difference.

    The p-value is that of the approximate randomisation test, two-sided (Noreen 1989): under the null hypothesis each
    unit's answers might as well have come from the other run, so they are exchanged with probability 1/2. It is
    (1 + at least as different) / (1 + exchanges), never 0. The interval is a paired bootstrap: both runs are scored on
    the same drawn units.

    Args:
        first: counts of one run, ``[N, C]``.
        second: counts of the other on the same units, in the same order.
        scores: of a corpus, from the sum of counts ``[C]``.
        seed: of the drawing.
        resamples: corpora drawn for the interval.
        exchanges: corpora with units exchanged, for the p-value.
    """
    if first.shape != second.shape:
        raise ValueError(f"paired tests need the same units; received {first.shape} and {second.shape} counts")
    totals = first.sum(axis=0), second.sum(axis=0)
    found = scores(totals[0]), scores(totals[1])
    drawn: dict[str, list[float]] = {name: [] for name in found[0]}
    for both in _resampled(np.concatenate([first, second], axis=1), resamples, seed):
        left, right = scores(both[: first.shape[1]]), scores(both[first.shape[1] :])
        for name in drawn:
            drawn[name].append(_minus(right[name], left[name]))

    extreme = dict.fromkeys(found[0], 0)
    for moved in _exchanged(second - first, exchanges, seed):
        left, right = scores(totals[0] + moved), scores(totals[1] - moved)
        for name in extreme:
            observed = abs(_minus(found[1][name], found[0][name]))
            # Sums in another order differ in the last digit; that is no smaller difference.
            extreme[name] += abs(_minus(right[name], left[name])) >= observed * (1 - 1e-9)
    return {
        name: Difference(found[0][name], found[1][name], _interval(drawn[name]), (1 + extreme[name]) / (1 + exchanges))
        for name in found[0]
    }


def _generator(seed: int, purpose: str) -> np.random.Generator:
    return RowKey(seed, 0, 0).child(purpose).generator()


def _resampled(counts: Counts, resamples: int, seed: int) -> Iterator[Counts]:
    """Sums ``[C]`` of corpora of as many units, drawn with replacement.

    Units with the same counts are one kind, drawn as often as a multinomial distribution says: in law that is drawing
    single units, and many times cheaper.
    """
    if len(counts) == 0:
        return
    kinds, sizes = np.unique(counts, axis=0, return_counts=True)
    generator = _generator(seed, "bootstrap")
    for number in _chunks(len(kinds), resamples):
        yield from _sums(generator.multinomial(len(counts), sizes / len(counts), size=number), kinds)


def _exchanged(change: Counts, exchanges: int, seed: int) -> Iterator[Counts]:
    """Sums ``[C]`` of the change ``[N, C]`` of units that are exchanged, each with probability 1/2."""
    kinds, sizes = np.unique(change, axis=0, return_counts=True)
    generator = _generator(seed, "exchange")
    for number in _chunks(len(kinds), exchanges):
        yield from _sums(generator.binomial(sizes, 0.5, size=(number, len(kinds))), kinds)


def _chunks(kinds: int, total: int) -> Iterator[int]:
    size = max(1, _CHUNK // max(1, kinds))
    for start in range(0, total, size):
        yield min(size, total - start)


def _sums(weights: NDArray[np.int64], counts: Counts) -> Counts:
    # In float64, exact up to 2^53: numpy has no fast product of integers.
    sums: NDArray[np.float64] = weights.astype(np.float64) @ counts.astype(np.float64)
    return sums if counts.dtype.kind == "f" else np.rint(sums).astype(np.int64)


def _minus(one: float, other: float) -> float:
    return 0.0 if one == other else one - other  # both may be infinite


def _interval(values: Sequence[float]) -> tuple[float, float]:
    # A value that occurs, not one between two: a rate may be infinite where nothing was to be said.
    ends = np.quantile(np.asarray(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return float(ends[0]), float(ends[1])
