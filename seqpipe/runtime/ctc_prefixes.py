"""The probability that CTC gives to texts that begin in a certain way; see `seqpipe.decoding.ctc_prefixes`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_hypothesis import BLANK

NEVER = float("-inf")
Floats = NDArray[np.float64]


class CTCPrefixes:
    """Log-probabilities of prefixes by CTC, for W hypotheses of each of B rows (Watanabe et al. 2017, algorithm 2).

    Args:
        emissions: log-probabilities ``[B, T, V]`` by CTC; label 0 is the blank.
        lengths: steps of each row, ``[B]``.
    """

    def __init__(self, emissions: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
        padding = np.arange(emissions.shape[1]) >= lengths[:, None]  # [B, T]
        values = np.where(padding[..., None], NEVER, emissions.astype(np.float64))
        values[..., BLANK] = np.where(padding, 0.0, values[..., BLANK])  # so that the last step is that of every row
        self._emissions = np.ascontiguousarray(values.transpose(0, 2, 1))  # [B, V, T]
        rows = len(values)
        # Over alignments of the first t steps, those that end in a label and those that end in a blank: [B, W, T + 1].
        self._in_blank = np.zeros((rows, 1, values.shape[1] + 1))
        self._in_blank[:, 0, 1:] = self._emissions[:, BLANK].cumsum(axis=1)
        self._in_label = np.full_like(self._in_blank, NEVER)
        self._last = np.full((rows, 1), BLANK)

    def extended(self, labels: NDArray[np.int64]) -> Floats:
        """Of each hypothesis with one of K labels (CTC's, from 1) behind it, ``[B, W, K]`` -> the same."""
        own = self._emissions[np.arange(len(labels))[:, None, None], labels]  # [B, W, K, T]
        before = np.logaddexp(self._in_label, self._in_blank)[:, :, None, :-1]
        again = (labels == self._last[..., None])[..., None]  # needs a blank between
        return _log_sum(np.where(again, self._in_blank[:, :, None, :-1], before) + own)

    def ended(self) -> Floats:
        """Of each hypothesis as a whole text, ``[B, W]``."""
        found: Floats = np.logaddexp(self._in_label[..., -1], self._in_blank[..., -1])
        return found

    def choose(self, rows: NDArray[np.int64], origins: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        """Go on with some hypotheses, a label more in each.

        Args:
            rows: that go on, ``[B']``.
            origins: of each the hypotheses among W, ``[B', W']``.
            labels: CTC's, ``[B', W']``.
        """
        at = rows[:, None]
        in_label, in_blank = self._in_label[at, origins], self._in_blank[at, origins]  # [B', W', T + 1]
        again = (labels == self._last[at, origins])[..., None]
        before = np.where(again, in_blank, np.logaddexp(in_label, in_blank))
        self._emissions = self._emissions[rows]
        own = self._emissions[np.arange(len(rows))[:, None], labels]  # [B', W', T]
        blank = self._emissions[:, None, BLANK]  # [B', 1, T]
        self._in_label, self._in_blank = np.full_like(before, NEVER), np.full_like(before, NEVER)
        for step in range(own.shape[2]):
            label, nothing = self._in_label[..., step], self._in_blank[..., step]
            self._in_label[..., step + 1] = np.logaddexp(label, before[..., step]) + own[..., step]
            self._in_blank[..., step + 1] = np.logaddexp(label, nothing) + blank[..., step]
        self._last = labels


def _log_sum(values: Floats) -> Floats:
    """ln of the sum of exp over the last axis, minus infinity where all are."""
    most = values.max(axis=-1)
    with np.errstate(divide="ignore"):
        sums = np.log(np.exp(values - np.where(np.isneginf(most), 0.0, most)[..., None]).sum(axis=-1))
    found: Floats = sums + np.where(np.isneginf(most), 0.0, most)
    return found
