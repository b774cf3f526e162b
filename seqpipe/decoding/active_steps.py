"""Steps of CTC's emissions at which a search has something to choose."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.ctc_hypothesis import BLANK
from seqpipe.decoding.steady import largest_first, steady


class ActiveSteps(NamedTuple):
    """The steps of B rows at which another label than the blank is likely enough, S at most, moved together.

    Attributes:
        counts: how many a row has, ``[B]``.
        probabilities: of all labels, ``[B, S, V]`` float64.
        labels: that are tried, the likeliest first, ``[B, S, K]``.
        label_probabilities: theirs, ``[B, S, K]``; 0 of what is not tried.
        blank_before: whether blanks alone stand between a step and the one before, ``[B, S]``.
        blank_behind: whether such stand behind the last one, ``[B]``.
        blank_scores: the sum of the log-probabilities of these blanks, ``[B]`` float64.
    """

    counts: Tensor
    probabilities: Tensor
    labels: Tensor
    label_probabilities: Tensor
    blank_before: Tensor
    blank_behind: Tensor
    blank_scores: Tensor

    def chosen(self, rows: Tensor) -> ActiveSteps:
        """These rows, and no more steps than they have."""
        most = int(self.counts[rows].max())
        cut = (self.probabilities, self.labels, self.label_probabilities, self.blank_before)
        behind = (self.blank_behind[rows], self.blank_scores[rows])
        return ActiveSteps._make([self.counts[rows], *(item[rows, :most] for item in cut), *behind])


def active_steps(emissions: PaddedSequence, min_probability: float, max_labels: int) -> ActiveSteps:
    """Those of log-probabilities ``[B, T, V]``.

    Args:
        emissions: label 0 is the blank.
        min_probability: of a label that is tried; with 0 all steps are active.
        max_labels: that are tried at a step.
    """
    values, lengths = emissions.values.detach().double().cpu(), emissions.lengths.cpu()
    rows, time, size = values.shape
    real = torch.arange(time) < lengths[:, None]  # [B, T]
    least = torch.tensor(min_probability, dtype=torch.float64).log()
    active = (values[..., 1:].amax(dim=-1) >= least) & real if size > 1 else real & False
    row, step = active.nonzero(as_tuple=True)
    counts = active.sum(dim=1)
    place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
    chances = steady(torch.exp, values[row, step])  # [N, V]
    most = max(1, int(counts.max())) if rows else 1
    tried, labels = _tried(chances, min_probability, max_labels)
    blank = values[..., BLANK].masked_fill(active | ~real, 0.0)
    before = torch.diff(step, prepend=step.new_zeros(1)) > 1
    first = place == 0
    before = torch.where(first, step > 0, before)
    last = torch.full((rows,), -1).scatter_reduce(0, row, step, "amax")

    def spread(found: Tensor) -> Tensor:
        made = found.new_zeros(rows, most, *found.shape[1:])
        made[row, place] = found
        return made

    return ActiveSteps(
        counts,
        spread(chances),
        spread(labels),
        spread(tried),
        spread(before),
        last < lengths - 1,
        blank.cumsum(dim=1)[:, -1] if time else blank.sum(dim=1),
    )


def _tried(chances: Tensor, min_probability: float, max_labels: int) -> tuple[Tensor, Tensor]:
    """Probabilities ``[N, K]``, 0 of what is not tried, and labels, the likeliest first."""
    own = chances[:, 1:]
    most = max(1, int((own >= min_probability).sum(dim=1).max())) if len(own) else 1
    labels = largest_first(own, min(most, max_labels, own.shape[1]))
    found = own.gather(1, labels)
    return found.masked_fill(found < min_probability, 0.0), labels + 1
