"""The adjusted counts of Kneser and Ney: in how many contexts an n-gram occurs, out of texts of any number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from seqpipe.errors import DataError
from seqpipe.language.arpa import BEGIN, END, UNKNOWN
from seqpipe.language.sorting import Records, Sorter, argsort, prefix_order, record_type, starts_of, suffix_order

SPECIAL = [UNKNOWN, BEGIN, END]
"""Words 0, 1 and 2."""
_BEGIN, _END = 1, 2
MAX_COUNT = 4
"""Up to which counts are counted, for discounts."""


class AdjustedCounts:
    """Counts of texts as `estimate` wants them, by order; texts are read once, when this is made.

    Of the highest order, and of n-grams that begin with ``<s>``, they are how often an n-gram occurs; else, how many
    different words stand before it.

    Args:
        texts: each as its units.
        order: N, the highest.
        folder: for temporary files.
        block: n-grams that are held at once.

    Attributes:
        words: the vocabulary by number, `SPECIAL` first, the others as they come.
        unigrams: their adjusted counts, int64 ``[V]``.
        counts_of_counts: how many n-grams of each order, from 1 on, have an adjusted count of 1, 2, 3 and 4,
            ``[N, 4]``.
        texts: how many there were.

    Raises:
        DataError: there is no text, one holds ``<s>`` or ``</s>``, or none has n-grams of the highest order.
    """

    def __init__(self, texts: Iterable[Sequence[str]], order: int, folder: Path, block: int) -> None:
        self.words, self.texts, self._order, self._has_highest = list(SPECIAL), 0, order, False
        self.counts_of_counts = np.zeros((order, MAX_COUNT), np.int64)
        types = [record_type(each, count="<i8", total="<i8") for each in range(1, order + 1)]
        self._prefixes = [Sorter(folder, types[each - 1], prefix_order(each), block) for each in range(2, order + 1)]
        self._carried: list[Records] = [np.empty(0, kind) for kind in types]
        self._unigrams: list[Records] = []
        occurrences = Sorter(folder, types[-1], suffix_order(order), block)
        for windows in self._windows(texts, block):
            records = np.zeros(len(windows), types[-1])
            records["gram"], records["count"], records["total"] = windows, 1, 1
            records = records[argsort(windows, suffix_order(order))]
            occurrences.add(_summed(records, starts_of(records["gram"])))
        if not self.texts:
            raise DataError("there are no texts to estimate a language model from")
        for records in occurrences.blocks():
            self._take(order, _summed(records, starts_of(records["gram"])))
        for each in range(order, 0, -1):
            self._pass_on(each, self._carried[each - 1])
        if not self._has_highest:
            raise DataError(
                f"no text has {order - 2} units, so there are no {order}-grams; take a lower order (--order)"
            )
        self.unigrams = np.zeros(len(self.words), np.int64)
        for records in self._unigrams:
            self.unigrams[records["gram"][:, 0]] = records["count"]

    def by_context(self, order: int) -> Iterator[Records]:
        """N-grams of an order from 2 on, sorted by their words: ``gram``, adjusted ``count``, ``total`` occurrences."""
        return self._prefixes[order - 2].blocks()

    def _windows(self, texts: Iterable[Sequence[str]], block: int) -> Iterator[np.ndarray]:
        """N-grams that end in a unit of a text or its end, ``[n, N]``; ``<s>`` stands before each N - 1 times."""
        numbers = {word: number for number, word in enumerate(self.words)}
        before = [_BEGIN] * (self._order - 1)
        flat: list[int] = []
        for text in texts:
            self.texts += 1
            if BEGIN in text or END in text:
                shown = BEGIN if BEGIN in text else END
                raise DataError(f"text {self.texts:,} holds {shown}, which stands for the ends of a text; take it out")
            flat += before
            flat += [numbers.setdefault(unit, len(numbers)) for unit in text]
            flat.append(_END)
            if len(flat) >= block:
                yield self._window(flat)
                flat = []
        if flat:
            yield self._window(flat)
        self.words = list(numbers)

    def _window(self, flat: list[int]) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(np.array(flat, np.int32), self._order)
        return windows[windows[:, -1] != _BEGIN]

    def _take(self, order: int, records: Records) -> None:
        """N-grams of an order in suffix order; the last one waits for what may belong to it."""
        held = self._carried[order - 1]
        if len(held) and (held["gram"][0] == records["gram"][0]).all():
            records["count"][0] += held["count"][0]
            records["total"][0] += held["total"][0]
        else:
            records = np.concatenate([held, records])
        self._carried[order - 1] = records[-1:].copy()
        self._pass_on(order, records[:-1])

    def _pass_on(self, order: int, records: Records) -> None:
        """Keep whole n-grams, and count them where they end alike."""
        if not len(records):
            return
        grams = records["gram"]
        records["count"] = np.where(grams[:, 0] == _BEGIN, records["total"], records["count"])
        own = records if order == 1 else records[grams[:, 1] != _BEGIN]  # <s> stands once, at the beginning
        found = np.bincount(np.minimum(own["count"], MAX_COUNT + 1), minlength=MAX_COUNT + 2)
        self.counts_of_counts[order - 1] += found[1 : MAX_COUNT + 1]
        if order == self._order:
            self._has_highest |= len(own) > 0
        if order == 1:
            self._unigrams.append(own)
            return
        self._prefixes[order - 2].add(own)
        starts = starts_of(grams[:, 1:])
        shorter = np.zeros(len(starts), self._carried[order - 2].dtype)
        shorter["gram"] = grams[starts, 1:]
        shorter["count"] = np.diff(starts, append=len(records))  # each with another word before it
        shorter["total"] = np.add.reduceat(records["total"], starts)
        self._take(order - 1, shorter)


def _summed(records: Records, starts: np.ndarray) -> Records:
    """Equal n-grams as one; raw counts are all that there is yet."""
    summed = records[starts]
    summed["total"] = np.add.reduceat(records["total"], starts)
    summed["count"] = summed["total"]
    return summed
