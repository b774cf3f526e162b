"""The likeliest alignment of known labels with emissions: Viterbi over CTC's states, in memory that stays flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_hypothesis import BLANK, frames_needed
from seqpipe.decoding.ctc_lattice import Band, Emissions, Floats, Lattice, whole_band, with_wildcard
from seqpipe.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class CTCPath:
    """One alignment of labels with steps.

    Attributes:
        starts: first step of each label, ``[L]``.
        stops: step after its last one, ``[L]``.
        log_probabilities: of what the path has at each step, a label or the blank, ``[T]`` float64.
        best: of the likeliest label or blank at each step, ``[T]`` float64: what free decoding has there.
        touches: whether it runs along an edge of the band, so that a wider one may hold a better path.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    log_probabilities: NDArray[np.float64]
    best: NDArray[np.float64]
    touches: bool = False

    @property
    def score(self) -> float:
        """Log-probability of the path, in nats."""
        return float(self.log_probabilities.sum())


class InMemory:
    """Emissions ``[T, V]`` that are held."""

    def __init__(self, values: Floats) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def block(self, start: int, stop: int) -> Floats:
        """See `Emissions`."""
        return self.values[start:stop]


def refuse_unalignable(labels: Sequence[int], steps: int) -> None:
    """Raise `InputError` where there is nothing to align, or more than the steps can hold."""
    if not len(labels):
        raise InputError("empty", "the text to align is empty")
    if (needed := frames_needed(labels)) > steps:
        raise InputError(
            "too short for its label",
            f"the text of {len(labels):,} units needs {needed:,} steps, and the input has {steps:,}: is it the text of "
            "another input?",
        )


def align_rows(rows: Sequence[Floats], labels: Sequence[Sequence[int]]) -> list[CTCPath]:
    """The likeliest path of each row, several rows at a time; each is the same to the bit as by itself.

    Args:
        rows: log-probabilities, ``[T_i, V]`` each; label 0 is the blank.
        labels: of each row, L_i in 1 to V; V is the wildcard, which any label of the vocabulary may stand for at a
            cost of `WILDCARD_COST` a step.

    Raises:
        InputError: labels are none, or don't fit into a row's steps (`refuse_unalignable`).
    """
    for row, own in zip(rows, labels, strict=True):
        refuse_unalignable(own, len(row))
    return _align([InMemory(row) for row in rows], labels, None) if rows else []


def align_long(emissions: Emissions, labels: Sequence[int], band: Band | None = None) -> CTCPath:
    """The likeliest path of one input, of any length: exact, or the best within a band.

    Memory grows by the labels, by the steps, and by the square root of the steps times the band's width (all labels
    without one): from the scores at some steps, which are kept, back-pointers of the steps between are computed again
    when the path is followed back (Grice et al. 1997, "Reduced space sequence alignment").

    Raises:
        InputError: see `align_rows`.
    """
    refuse_unalignable(labels, len(emissions))
    return _align([emissions], [labels], band)[0]


def _align(rows: Sequence[Emissions], labels: Sequence[Sequence[int]], band: Band | None) -> list[CTCPath]:
    lattice = Lattice(rows, labels, band)
    states = lattice.states()
    return [_path(row, own, found[: len(row)], band) for row, own, found in zip(rows, labels, states, strict=True)]


def _path(row: Emissions, labels: Sequence[int], states: NDArray[np.int64], band: Band | None) -> CTCPath:
    own = np.asarray(labels, dtype=np.int64)
    is_label = (states & 1).astype(bool)
    steps, which = np.flatnonzero(is_label), states[is_label] >> 1
    starts, stops = np.full(len(own), -1, dtype=np.int64), np.full(len(own), -1, dtype=np.int64)
    stops[which] = steps + 1  # of several the last is kept
    starts[which[::-1]] = steps[::-1]
    taken, best = np.empty(len(states)), np.empty(len(states))
    emitted = np.where(is_label, own[np.minimum(states >> 1, len(own) - 1)], BLANK)
    for start in range(0, len(states), 1 << 16):
        stop = min(len(states), start + (1 << 16))
        values = with_wildcard(row.block(start, stop))
        taken[start:stop] = values[np.arange(stop - start), emitted[start:stop]]
        best[start:stop] = values[:, :-1].max(axis=1)
    touches = band is not None and (bool((starts < 0).any()) or _touches(states, band, len(own)))
    return CTCPath(starts, stops, taken, best, touches)


def _touches(states: NDArray[np.int64], band: Band, labels: int) -> bool:
    """Whether a path runs along an edge of its band that is none of the lattice's own."""
    whole, which = whole_band(len(states), labels), states >> 1
    low = (which <= band.first) & (band.first > whole.first)
    high = (which >= band.stop - 1) & (band.stop < whole.stop)
    return bool((low | high).any())
