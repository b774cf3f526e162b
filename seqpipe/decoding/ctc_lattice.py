"""CTC's states over the steps of several inputs, and the best way through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_hypothesis import BLANK

Floats = NDArray[np.floating[Any]]
BACK_BYTES = 1 << 25
"""Of back-pointers that are held at once; what needs more goes over the steps twice, from checkpoints."""
WILDCARD_COST = 0.5
"""Nats that a step of a wildcard is below the best label there: little, so that it takes in whatever was said, but
more than nothing, so that it takes no step that another label of the text accounts for."""


class Emissions(Protocol):
    """Log-probabilities of one input, which may be too many to be held at once."""

    def __len__(self) -> int:
        """T, steps."""

    def block(self, start: int, stop: int) -> Floats:
        """Of these steps, ``[stop - start, V]``."""


class Band(NamedTuple):
    """Which labels are looked at: at step t those from ``first[t]`` up to but not including ``stop[t]``.

    Both never fall; each ``[T]`` int64.
    """

    first: NDArray[np.int64]
    stop: NDArray[np.int64]

    @property
    def width(self) -> int:
        """Labels at the widest step."""
        return int((self.stop - self.first).max(initial=1))


def whole_band(steps: int, labels: int) -> Band:
    """All labels that a path can be in at each step: after as many steps, and with as many left, as they need."""
    at = np.arange(steps, dtype=np.int64)
    return Band(np.maximum(0, labels - steps + at), np.minimum(labels, at + 1))


class Lattice:
    """CTC's states of several rows: label j, and the blank before it; [B, L] and [B, L + 1].

    Padding steps have a blank of probability 1 and nothing else, so that a row ends in the blank behind its last label
    whatever its length, and nothing is added to its score. Labels behind a row's last one never lead back to it.
    """

    def __init__(self, rows: Sequence[Emissions], labels: Sequence[Sequence[int]], band: Band | None) -> None:
        self.rows, self.lengths = rows, [len(row) for row in rows]
        self.ends = [len(own) for own in labels]
        self.steps, self.most = max(self.lengths), max(self.ends)
        padded = np.ones((len(rows), self.most), dtype=np.int64)
        for index, own in enumerate(labels):
            padded[index, : len(own)] = own
        self.labels = padded
        # Between equal neighbours there must be a blank.
        self.skip = np.zeros(padded.shape)
        self.skip[:, 1:][padded[:, 1:] == padded[:, :-1]] = -math.inf
        if band is None and len(rows) == 1:
            band = whole_band(self.steps, self.most)
        elif band is None:
            band = Band(np.zeros(self.steps, dtype=np.int64), np.minimum(self.most, np.arange(1, self.steps + 1)))
        self.band, self.width = band, band.width
        bytes_a_step = 2 * len(rows) * (self.width + 1)
        # Two equal parts: checkpoints of 16 bytes a label at every `size` steps, and back-pointers of 2 in between.
        fitting = BACK_BYTES // bytes_a_step
        self.size = self.steps if fitting >= self.steps else max(fitting, math.isqrt(8 * self.steps), 1)

    def states(self) -> NDArray[np.int64]:
        """Where the best path of each row is at each step: 2 j in the blank before label j, 2 j + 1 in label j."""
        borders = [*range(0, self.steps, self.size), self.steps]
        scores = self._begin()
        checkpoints = [self._kept(scores, 0)]
        for start, stop in pairwise(borders[:-1]):
            self._advance(scores, start, stop, None)
            checkpoints.append(self._kept(scores, stop))
        states = np.empty((len(self.rows), self.steps), dtype=np.int64)
        current = np.full(len(self.rows), -1)
        for start, stop, kept in reversed(list(zip(borders[:-1], borders[1:], checkpoints, strict=True))):
            scores = self._restored(kept, start)
            back = np.empty((stop - start, 2, len(self.rows), self.width + 1), dtype=np.uint8)
            self._advance(scores, start, stop, back)
            if stop == self.steps:
                current = self._ends(scores)
            current = self._follow(back, states, start, stop, current)
        return states

    def _begin(self) -> tuple[Floats, Floats]:
        """Before the first step: in the blank before the first label. Labels have one that is never reached first."""
        blanks = np.full((len(self.rows), self.most + 1), -math.inf)
        blanks[:, 0] = 0.0
        return blanks, np.full((len(self.rows), self.most + 1), -math.inf)

    def _window(self, step: int) -> slice:
        """Of labels that scores are kept of behind ``step`` steps."""
        if step == 0:
            return slice(0, 1)
        return slice(int(self.band.first[step - 1]), int(self.band.stop[step - 1]) + 1)

    def _kept(self, scores: tuple[Floats, Floats], step: int) -> tuple[Floats, Floats]:
        window = self._window(step)
        return scores[0][:, window].copy(), scores[1][:, window].copy()

    def _restored(self, kept: tuple[Floats, Floats], step: int) -> tuple[Floats, Floats]:
        scores = self._begin()
        for whole, part in zip(scores, kept, strict=True):
            whole[:, 0] = -math.inf
            whole[:, self._window(step)] = part
        return scores

    def _advance(self, scores: tuple[Floats, Floats], start: int, stop: int, back: NDArray[np.uint8] | None) -> None:
        """Scores behind ``start`` steps become those behind ``stop``; in each, ``labels[:, j + 1]`` is of label j."""
        blanks, labels = scores
        firsts, stops = self.band.first[start:stop].tolist(), self.band.stop[start:stop].tolist()
        read = max(1, (1 << 20) // max(1, len(self.rows)))
        previous = int(self.band.first[start - 1]) if start else 0
        for at, (a, b) in enumerate(zip(firsts, stops, strict=True)):
            if at % read == 0:
                emitted = self._emitted(start + at, min(stop, start + at + read))  # [n, B, V + 1]
                count = emitted.shape[2]
                places = self.labels + count * np.arange(len(self.rows))[:, None]
            now = emitted[at % read]
            before, own, blank = labels[:, a:b], labels[:, a + 1 : b + 1], blanks[:, a : b + 1]
            skipping = before + self.skip[:, a:b]
            if back is not None:
                np.greater(labels[:, a : b + 1], blank, out=back[at, 0, :, : b - a + 1].view(bool))
                staying = np.maximum(own, blank[:, :-1])
                chosen = back[at, 1, :, : b - a]
                np.greater(blank[:, :-1], own, out=chosen.view(bool))
                # Writing 2 where a mask says so takes 1.7 times as long.
                np.maximum(chosen, (skipping > staying).view(np.uint8) << 1, out=chosen)
                np.maximum(skipping, staying, out=skipping)
            else:
                np.maximum(skipping, blank[:, :-1], out=skipping)
                np.maximum(skipping, own, out=skipping)
            np.maximum(blank, labels[:, a : b + 1], out=blank)
            blank += now[:, :1]
            np.add(skipping, now.reshape(-1).take(places[:, a:b]), out=own)
            if a > previous:  # what the band has left behind leads nowhere from here on
                labels[:, previous : a + 1] = -math.inf
                previous = a

    def _emitted(self, start: int, stop: int) -> Floats:
        """``[stop - start, B, V + 1]``, the wildcard last."""
        found = []
        for row, length in zip(self.rows, self.lengths, strict=True):
            values = with_wildcard(row.block(min(start, length), min(stop, length)))
            padding = np.full((stop - start - len(values), values.shape[1]), -math.inf)
            padding[:, BLANK] = 0.0
            found.append(np.concatenate([values, padding]) if len(padding) else values)
        return np.stack(found, axis=1)

    def _ends(self, scores: tuple[Floats, Floats]) -> NDArray[np.int64]:
        """The better of the two states that a path may end in, for each row."""
        ends = np.array(self.ends)
        rows = np.arange(len(ends))
        return np.where(scores[1][rows, ends] > scores[0][rows, ends], 2 * ends - 1, 2 * ends)

    def _follow(
        self, back: NDArray[np.uint8], states: NDArray[np.int64], start: int, stop: int, current: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Write the states from ``start`` to ``stop``, whose last one is ``current``; that of the step before them."""
        rows = np.arange(len(current))
        if len(rows) == 1:  # numbers are followed ten times as fast as arrays of one
            return self._follow_one(back[:, :, 0], states[0], start, stop, int(current[0]))
        for step in range(stop - 1, start - 1, -1):
            states[:, step] = current
            is_label = current & 1
            taken = back[step - start, is_label, rows, (current >> 1) - self.band.first[step]]
            # In a blank: from itself, or label j - 1. In label j: from itself, the blank before it, or label j - 1.
            current = current - taken
        return current

    def _follow_one(
        self, back: NDArray[np.uint8], states: NDArray[np.int64], start: int, stop: int, current: int
    ) -> NDArray[np.int64]:
        firsts = self.band.first[start:stop].tolist()
        found = []
        for at in range(stop - start - 1, -1, -1):
            found.append(current)
            current -= int(back[at, current & 1, (current >> 1) - firsts[at]])
        states[start:stop] = found[::-1]
        return np.array([current])


def with_wildcard(values: Floats) -> NDArray[np.float64]:
    """Log-probabilities ``[T, V]`` with that of a wildcard behind them, ``[T, V + 1]``."""
    best = values.max(axis=1, keepdims=True, initial=-math.inf) - WILDCARD_COST
    return np.concatenate([values, best], axis=1, dtype=np.float64)
