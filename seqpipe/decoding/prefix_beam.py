"""The hypotheses that a prefix search follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.decoding.prefix_scorer import PrefixState


class Beam(NamedTuple):
    """W hypotheses of each of n rows, the best first; what is missing has probability 0. All ``[n, W]``.

    Probabilities are kept as they are, in float64, over a power of two of the row's: sums and products of these are
    exact to their last bit wherever a row stands in a batch, which can't be said of logarithms.
    """

    blank: Tensor  # of alignments that end in a blank
    label: Tensor  # of those that end in the last label
    weight: Tensor  # exp of `added`, over a power of two of the row's
    added: Tensor  # by the scorer, in nats
    node: Tensor
    hash: Tensor
    parent_hash: Tensor
    last: Tensor
    state: PrefixState

    def head(self, rows: int) -> Beam:
        """The first rows."""
        return Beam._make([*(item[:rows] for item in self[:-1]), self.state.rows(slice(rows))])

    def tail(self, rows: int) -> Beam:
        """All but the first rows."""
        return Beam._make([*(item[rows:] for item in self[:-1]), self.state.rows(slice(rows, None))])

    def behind_blank(self, is_blank: Tensor) -> Beam:
        """The same behind steps that are blanks in some rows ``[n]``, whose probability is counted elsewhere."""
        if not bool(is_blank.any()):
            return self
        is_blank = is_blank[:, None]
        total = self.blank + self.label
        return self._replace(
            blank=torch.where(is_blank, total, self.blank), label=self.label.masked_fill(is_blank, 0.0)
        )


def joined(beams: Sequence[Beam], states: Sequence[PrefixState]) -> Beam:
    """Beams of rows that follow one another, as one."""
    width = max(beam.blank.shape[1] for beam in beams)

    def padded(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([F.pad(item, (0, width - item.shape[1])) for item in tensors])

    fields = [padded(list(parts)) for parts in zip(*(beam[:-1] for beam in beams), strict=True)]
    state = [padded(list(parts)) for parts in zip(*states, strict=True)]
    return Beam._make([*fields, PrefixState._make(state)])
