"""Steps of CTC's emissions at which a search has something to choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_hypothesis import BLANK
from seqpipe.decoding.ordering import ordered, place_of


class ActiveSteps(NamedTuple):
    """The N steps of B rows at which another label than the blank is likely enough, one row's behind the other's.

    Attributes:
        counts: how many a row has, ``[B]``.
        firsts: where a row's begin, ``[B]``.
        probabilities: of all labels, ``[N, V]`` float64.
        labels: that are tried, the likeliest first, ``[N, K]``; the blank where there are no more.
        label_probabilities: theirs, ``[N, K]``; 0 where there are no more.
        blank_before: whether blanks alone stand between a step and the one before, ``[N]``.
        blank_behind: whether such stand behind the last one, ``[B]``.
        blank_scores: the sum of the log-probabilities of these blanks, ``[B]`` float64.
    """

    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    label_probabilities: NDArray[np.float64]
    blank_before: NDArray[np.bool_]
    blank_behind: NDArray[np.bool_]
    blank_scores: NDArray[np.float64]

    def chosen(self, rows: NDArray[np.int64]) -> ActiveSteps:
        """These rows; of all steps."""
        return self._replace(
            counts=self.counts[rows],
            firsts=self.firsts[rows],
            blank_behind=self.blank_behind[rows],
            blank_scores=self.blank_scores[rows],
        )


def active_steps(rows: Sequence[NDArray[np.floating]], min_probability: float, max_labels: int) -> ActiveSteps:
    """Those of rows of log-probabilities.

    Args:
        rows: ``[T_i, V]`` each; label 0 is the blank.
        min_probability: of a label that is tried; with 0 all steps are active.
        max_labels: that are tried at a step.
    """
    values = np.concatenate(rows)  # [all T, V]
    lengths = np.array([len(row) for row in rows])
    row = np.repeat(np.arange(len(rows)), lengths)
    least = math.log(min_probability) if min_probability else -math.inf
    is_active = values[:, 1:].max(axis=1) >= least if values.shape[1] > 1 else np.zeros(len(values), bool)
    at = np.flatnonzero(is_active)
    owners = row[at]
    counts = np.bincount(owners, minlength=len(rows))
    firsts = counts.cumsum() - counts
    chances = np.exp(values[at].astype(np.float64))
    likely, labels = _tried(chances, min_probability, max_labels)
    # A row's first active step has blanks before it if it isn't the row's first one.
    starts = lengths.cumsum() - lengths
    before = np.concatenate([[-1], at[:-1]])
    before = np.maximum(before, starts[owners] - 1)
    last = np.full(len(rows), -1)
    last[owners] = at  # of several the last is kept
    idle = np.flatnonzero(~is_active)
    # Added up one after the other: a row's sum is the same wherever it stands.
    blanks: NDArray[Any] = np.bincount(row[idle], values[idle, BLANK].astype(np.float64), minlength=len(rows))
    behind = np.maximum(last, starts - 1) < starts + lengths - 1
    return ActiveSteps(counts, firsts, chances, labels, likely, at - before > 1, behind, blanks)


def _tried(
    chances: NDArray[np.float64], min_probability: float, max_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities ``[N, K]``, 0 of what is not tried, and labels, the likeliest first."""
    own = chances[:, 1:]
    step, label = (own >= min_probability).nonzero()
    counts = np.bincount(step, minlength=len(own))
    place = np.arange(len(step)) - (counts.cumsum() - counts)[step]
    found = np.zeros((len(own), max(1, int(counts.max(initial=0)))))
    labels = np.zeros(found.shape, np.int64)
    found[step, place], labels[step, place] = own[step, label], label + 1
    numbers = np.sort(ordered(found), axis=1)[:, ::-1][:, :max_labels]
    order = place_of(numbers).clip(max=found.shape[1] - 1)
    likely = np.where(numbers > 0, np.take_along_axis(found, order, axis=1), 0.0)
    return likely, np.take_along_axis(labels, order, axis=1)
