"""Modified Kneser-Ney smoothing: an n-gram language model out of texts, in memory that doesn't grow with them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from seqpipe.core.files import check_place
from seqpipe.errors import ConfigError, DataError
from seqpipe.language.arpa import NO_PROBABILITY, Entries, write_arpa
from seqpipe.language.counting import AdjustedCounts
from seqpipe.language.sorting import (
    Records,
    Sorter,
    Spool,
    looked_up,
    record_type,
    starts_of,
    suffix_order,
    whole_groups,
)

MAX_ORDER = 6
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts of an order whose counts give none; those of ``lmplz --discount_fallback``."""
_BLOCK = 2**18
_BEGIN = 1


@dataclass(frozen=True)
class Estimation:
    """What an estimation made.

    Attributes:
        texts: how many there were.
        counts: n-grams of each order in the file, from 1 on.
        discounts: of each order, of n-grams that count 1, 2, and 3 or more.
        fallbacks: orders whose discounts are `FALLBACK`.
    """

    texts: int
    counts: tuple[int, ...]
    discounts: tuple[tuple[float, float, float], ...]
    fallbacks: tuple[int, ...]


def estimate(
    texts: Iterable[Sequence[str]], path: Path, *, order: int = 4, prune: Sequence[int] = (), block: int = _BLOCK
) -> Estimation:
    """Estimate an n-gram model by modified Kneser-Ney smoothing, interpolated, and write it as an ARPA file.

    After Chen & Goodman (1999), in the form of KenLM's ``lmplz`` (Heafield et al. 2013): an n-gram that begins with
    ``<s>`` counts as often as it occurs; unigrams are interpolated with the uniform distribution over the vocabulary
    with ``<unk>`` and ``</s>``; pruning goes by occurrences, after discounts, and what is pruned goes to the back-off.
    ``<unk>`` may stand in texts and is counted like a word there. Where discounts can't be estimated from an order's
    counts of counts (one is 0, or the discount lies outside of 0 to its count), as with little or artificial text,
    those of the order are `FALLBACK`; ``lmplz`` refuses unless it is told to do the same.

    Memory holds the vocabulary and a number of blocks; n-grams lie in temporary files in the folder of ``path``, some
    50 bytes for each that differs. The same texts give the same bytes, whatever the size of the blocks.

    Args:
        texts: each as its units, which hold no blanks; read once.
        path: of the file; packed if it ends with ``.gz``.
        order: highest n, 1 to 6.
        prune: of each order from 1 on, the number of occurrences up to which n-grams are left out; the first is 0, none
            is less than the one before, and the last holds for all orders behind it.
        block: n-grams that are held at once, which memory follows.

    Raises:
        ConfigError: an option is wrong, or the file can't stand there.
        DataError: there is no text, one holds ``<s>`` or ``</s>``, none has n-grams of the highest order, or pruning
            leaves none.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ConfigError(f"--order should be 1 to {MAX_ORDER}; received {order}")
    thresholds = _thresholds(prune, order)
    check_place("--out", path)
    with tempfile.TemporaryDirectory(prefix=".estimating-", dir=path.absolute().parent) as folder:
        counts = AdjustedCounts(texts, order, Path(folder), block)
        model = _Model(counts, thresholds, Path(folder), block)
        write_arpa(path, model.sizes, model.sections())
    return Estimation(
        counts.texts, tuple(model.sizes), tuple(each or FALLBACK for each in model.estimated), tuple(model.fallbacks)
    )


def _thresholds(prune: Sequence[int], order: int) -> list[int]:
    given = list(prune) or [0]
    shown = ",".join(map(str, given))
    if len(given) > order:
        raise ConfigError(f"--prune {shown}: has {len(given)} numbers for {order} orders (--order)")
    if given[0] != 0 or any(first > second for first, second in pairwise(given)):
        raise ConfigError(
            f"--prune {shown}: should begin with 0, since every unigram stays, and no number may be less than the one "
            "before, since an n-gram needs its parts; for example 0,0,1"
        )
    return given + given[-1:] * (order - len(given))


def _discounts(counts: np.ndarray) -> tuple[float, float, float] | None:
    """Of one order by how many n-grams count 1, 2, 3 and 4 (equation 26 of Chen & Goodman); None if they give none."""
    n1, n2, n3, n4 = map(int, counts)
    if not (n1 and n2 and n3):
        return None
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 <= value <= place for place, value in enumerate(found, 1)) else None


class _Model:
    """Discounted shares of all orders, in temporary files; `sections` interpolates them."""

    def __init__(self, counts: AdjustedCounts, thresholds: list[int], folder: Path, block: int) -> None:
        self.words, self._folder, self._block = counts.words, folder, block
        self.estimated = [_discounts(each) for each in counts.counts_of_counts]
        self.fallbacks = [order for order, each in enumerate(self.estimated, 1) if each is None]
        discounts = [np.array([0.0, *(each or FALLBACK)]) for each in self.estimated]
        self.sizes = [len(self.words)]
        orders = range(1, len(thresholds) + 1)
        self._shares = [Sorter(folder, _shares_type(each), suffix_order(each), block) for each in orders]
        self._weights = [Sorter(folder, _weights_type(each), suffix_order(each), block) for each in orders]
        self._unigrams = _unigrams(counts.unigrams, discounts[0])
        for order in orders[1:]:
            size = 0
            for records in whole_groups(counts.by_context(order), slice(0, order - 1)):
                shares, weights = _discounted(records, discounts[order - 1], thresholds[order - 1])
                self._shares[order - 1].add(shares)
                self._weights[order - 2].add(weights)
                size += len(shares)
            if not size:
                raise DataError(f"--prune leaves no {order}-grams; give lower numbers, or a lower --order")
            self.sizes.append(size)

    def sections(self) -> Iterator[Entries]:
        """Of every order, its n-grams with log10 of their probabilities and back-off weights."""
        lower = Spool(self._folder, _probabilities_type(1), self._block)
        lower.add(self._unigrams)
        for order in range(1, len(self.sizes) + 1):
            if order > 1:
                probabilities = Spool(self._folder, _probabilities_type(order), self._block)
                for records in self._interpolated(order, lower):
                    probabilities.add(records)
                lower = probabilities
            yield self._entries(order, lower)

    def _interpolated(self, order: int, lower: Spool) -> Iterator[Records]:
        shares = self._shares[order - 1].blocks()
        for records, below, _ in looked_up(shares, lower.blocks(), 1, suffix_order(order - 1), "probability"):
            found = np.empty(len(records), _probabilities_type(order))
            found["gram"] = records["gram"]
            found["probability"] = records["share"] + records["weight"] * below
            yield found

    def _entries(self, order: int, probabilities: Spool) -> Entries:
        weights = self._weights[order - 1].blocks()
        words = np.array(self.words, object)
        for records, weight, is_there in looked_up(probabilities.blocks(), weights, 0, suffix_order(order), "weight"):
            ngrams = [" ".join(row) for row in words[records["gram"]].tolist()]
            log_probs = np.full(len(records), NO_PROBABILITY)
            np.log10(records["probability"], where=records["probability"] > 0, out=log_probs)
            backoffs = np.zeros(len(records))
            np.log10(weight, where=is_there, out=backoffs)
            yield ngrams, np.minimum(log_probs, 0.0), backoffs  # a rounded 1 may lie above it


def _shares_type(order: int) -> np.dtype:
    return record_type(order, share="<f8", weight="<f8")


def _weights_type(order: int) -> np.dtype:
    return record_type(order, weight="<f8")


def _probabilities_type(order: int) -> np.dtype:
    return record_type(order, probability="<f8")


def _unigrams(counts: np.ndarray, discounts: np.ndarray) -> Records:
    """Probabilities of the vocabulary; 0 of ``<s>``."""
    kinds = np.minimum(counts, 3)
    total = counts.sum()
    weight = discounts[kinds].sum() / total
    found = np.empty(len(counts), _probabilities_type(1))
    found["gram"] = np.arange(len(counts))[:, None]
    found["probability"] = (counts - discounts[kinds]) / total + weight / (len(counts) - 1)
    found["probability"][_BEGIN] = 0
    return found


def _discounted(records: Records, discounts: np.ndarray, threshold: int) -> tuple[Records, Records]:
    """Shares of n-grams in the counts of their contexts, and the contexts' back-off weights.

    Sums are of whole numbers, so that they don't depend on how records are parted.
    """
    grams, count = records["gram"], records["count"]
    order = grams.shape[1]
    starts = starts_of(grams[:, :-1])
    is_kept = records["total"] > threshold
    kinds = np.where(is_kept, np.minimum(count, 3), 0)
    totals = np.add.reduceat(count, starts)
    free = np.add.reduceat(np.where(is_kept, 0, count), starts).astype(np.float64)
    for kind in (1, 2, 3):
        free += discounts[kind] * np.add.reduceat((kinds == kind).astype(np.int64), starts)
    weights = np.empty(len(starts), _weights_type(order - 1))
    weights["gram"], weights["weight"] = grams[starts, :-1], free / totals
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(records)))[is_kept]
    shares = np.empty(len(group), _shares_type(order))
    shares["gram"] = grams[is_kept]
    shares["share"] = (count[is_kept] - discounts[kinds[is_kept]]) / totals[group]
    shares["weight"] = weights["weight"][group]
    return shares, weights
