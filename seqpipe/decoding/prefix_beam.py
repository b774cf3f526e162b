"""The hypotheses that a prefix search follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.prefix_scorer import PrefixState


class Beam(NamedTuple):
    """W hypotheses of each of n rows, the best first; what is missing has probability 0. All ``[n, W]``.

    Probabilities are kept as they are, in float64, over a power of two of the row's: sums and products of these are
    exact to their last bit wherever a row stands in a batch, which can't be said of logarithms.
    """

    blank: NDArray[np.float64]  # of alignments that end in a blank
    label: NDArray[np.float64]  # of those that end in the last label
    weight: NDArray[np.float64]  # exp of `added`, over a power of two of the row's
    added: NDArray[np.float64]  # by the scorer, in nats
    node: NDArray[np.int64]
    hash: NDArray[np.int64]
    parent_hash: NDArray[np.int64]
    last: NDArray[np.int64]
    state: PrefixState

    def head(self, rows: int) -> Beam:
        """The first rows."""
        return Beam._make([*(item[:rows] for item in self[:-1]), self.state.rows(slice(rows))])

    def tail(self, rows: int) -> Beam:
        """All but the first rows."""
        return Beam._make([*(item[rows:] for item in self[:-1]), self.state.rows(slice(rows, None))])

    def behind_blank(self, is_blank: NDArray[np.bool_]) -> Beam:
        """The same behind steps that are blanks in some rows ``[n]``, whose probability is counted elsewhere."""
        if not is_blank.any():
            return self
        blank = self.blank + self.label * is_blank[:, None]
        return self._replace(blank=blank, label=self.label * ~is_blank[:, None])


def joined(beams: Sequence[Beam], states: Sequence[PrefixState]) -> Beam:
    """Beams of rows that follow one another, as one."""
    width = max(beam.blank.shape[1] for beam in beams)

    def padded(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([np.pad(item, ((0, 0), (0, width - item.shape[1]))) for item in parts])

    fields = [padded(parts) for parts in zip(*(beam[:-1] for beam in beams), strict=True)]
    state = [padded(parts) for parts in zip(*states, strict=True)]
    return Beam._make([*fields, PrefixState._make(state)])
