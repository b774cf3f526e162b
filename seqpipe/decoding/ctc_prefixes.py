"""The probability that CTC gives to texts that begin in a certain way, for searches that go by it too."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.ctc_hypothesis import BLANK

NEVER = float("-inf")


class CTCPrefixes:
    """Log-probabilities of prefixes by CTC, for W hypotheses of each of B rows (Watanabe et al. 2017, algorithm 2).

    A prefix has the probability of all texts that begin with it, over all their alignments; so it only falls as a
    hypothesis grows. Begins with one hypothesis of each row, which has no label yet.

    Args:
        emissions: log-probabilities ``[B, T, V]`` by CTC; label 0 is the blank.
    """

    def __init__(self, emissions: PaddedSequence) -> None:
        padding = ~emissions.mask()
        values = emissions.values.masked_fill(padding[..., None], NEVER)
        values[..., BLANK] = values[..., BLANK].masked_fill(padding, 0.0)  # so that the last step is that of every row
        self._emissions = values.transpose(1, 2).double()  # [B, V, T]
        rows = len(values)
        self._rows = torch.arange(rows, device=values.device)  # of each hypothesis
        # Over alignments of the first t steps, those that end in a label and those that end in a blank, [B · W, T + 1].
        blanks = self._emissions[:, BLANK].cumsum(dim=1)
        self._in_blank = torch.cat([blanks.new_zeros(rows, 1), blanks], dim=1)
        self._in_label = torch.full_like(self._in_blank, NEVER)
        self._last = torch.full((rows,), BLANK, device=values.device)

    def extended(self, labels: Tensor) -> Tensor:
        """Of each hypothesis with one of K labels (CTC's, from 1) behind it, ``[B · W, K]`` -> the same."""
        own = self._emissions[self._rows[:, None], labels]  # [B · W, K, T]
        before = torch.logaddexp(self._in_label, self._in_blank)[:, None, :-1]
        again = (labels == self._last[:, None])[..., None]  # needs a blank between
        return (torch.where(again, self._in_blank[:, None, :-1], before) + own).logsumexp(dim=-1)

    def ended(self) -> Tensor:
        """Of each hypothesis as a whole text, ``[B · W]``."""
        return torch.logaddexp(self._in_label[:, -1], self._in_blank[:, -1])

    def choose(self, rows: Tensor, places: Tensor, labels: Tensor) -> None:
        """Go on with some hypotheses, a label more in each.

        Args:
            rows: that go on, ``[B']``.
            places: of the hypotheses among ``B · W``, W' for each row, ``[B' · W']``.
            labels: CTC's, ``[B' · W']``.
        """
        width = len(places) // max(1, len(rows))
        in_label, in_blank = self._in_label[places], self._in_blank[places]
        before = torch.where((labels == self._last[places])[:, None], in_blank, torch.logaddexp(in_label, in_blank))
        self._emissions = self._emissions[rows]
        self._rows = torch.arange(len(rows), device=rows.device).repeat_interleave(width)
        own, blank = self._emissions[self._rows, labels], self._emissions[self._rows, BLANK]  # [B' · W', T]
        label = torch.full_like(before[:, 0], NEVER)
        label_steps, blank_steps = [label], [label]
        for step in range(own.shape[1]):
            ends_in_blank = torch.logaddexp(label_steps[-1], blank_steps[-1]) + blank[:, step]
            label_steps.append(torch.logaddexp(label_steps[-1], before[:, step]) + own[:, step])
            blank_steps.append(ends_in_blank)
        self._in_label, self._in_blank = torch.stack(label_steps, dim=1), torch.stack(blank_steps, dim=1)
        self._last = labels
