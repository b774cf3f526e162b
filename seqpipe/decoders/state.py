"""What a decoder knows of what it has written."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class State(NamedTuple):
    """What the decoder carries from step to step, W hypotheses for each of B rows.

    Attributes:
        hidden: of each layer, ``[layers, B · W, H]``.
        cell: of an LSTM's layers, likewise; of a GRU's as ``hidden``.
        fed: the last output, ``[B · W, O]``, for input feeding; without it ``[B · W, 0]``.
        weights: of the last attention, ``[B · W, T]``, for one that follows; of others ``[B · W, 0]``.
    """

    hidden: Tensor
    cell: Tensor
    fed: Tensor
    weights: Tensor

    def chosen(self, places: Tensor) -> State:
        """The states at these places of ``B · W``, which may repeat."""
        hidden = self.hidden.index_select(1, places)
        cell = hidden if self.cell is self.hidden else self.cell.index_select(1, places)
        return State(hidden, cell, self.fed.index_select(0, places), self.weights.index_select(0, places))
