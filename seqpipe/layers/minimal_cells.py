"""Recurrent layers whose gates see the input alone, so that all steps but a linear recurrence are computed at once."""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.layers.linear_scan import linear_scan


class MinimalCell(nn.Module, metaclass=ABCMeta):
    """What `MinGRU` and `MinLSTM` share: one product for all gates of all steps, and `torch.nn.GRU`'s interface.

    The new state h' is a mean of the one before and of a candidate. The weights have torch's names: of the gates, below
    each other, the candidate last.

    Args:
        input_size: D, features of a step.
        hidden_size: H, units.
        batch_first: must be true: what goes in and out is ``[B, T, ...]``.

    Raises:
        ValueError: ``batch_first`` is false.
    """

    matrices: ClassVar[int]
    """How many matrices of ``[H, D]`` there are."""

    def __init__(self, input_size: int, hidden_size: int, *, batch_first: bool) -> None:
        super().__init__()
        if not batch_first:
            raise ValueError(f"{type(self).__name__} is for batch_first=True alone")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(self.matrices * hidden_size, input_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(self.matrices * hidden_size))
        for parameter in self.parameters():  # as torch's own layers
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All states, ``[B, T, H]``, and the last one, ``[1, B, H]``, of ``[B, T, D]`` and the state before.

        The recurrence is in fp32 under autocast, and so are the states.
        """
        gates = F.linear(input, self.weight_ih_l0, self.bias_ih_l0)
        gates = gates.to(torch.promote_types(gates.dtype, torch.float32))
        kept, new = self._shares(gates)
        states = linear_scan(kept, new * gates[..., -self.hidden_size :], None if hx is None else hx[0])
        return states, states[:, -1].unsqueeze(0)

    @abstractmethod
    def _shares(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        """How much of the new state is the one before, and the candidate, each ``[B, T, H]``; they add up to 1."""


class MinGRU(MinimalCell):
    """A GRU without a reset gate, of which nothing looks back: h' = (1 - z) h + z c (Feng et al. 2024, section 3.1).

    The update gate is z = sigmoid(W_z x + b_z), and the candidate c = W_h x + b_h.
    """

    matrices = 2

    def _shares(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        update, _ = gates.chunk(2, dim=2)
        # 1 - sigmoid(x) to all its bits, where a state is to last for thousands of steps.
        return torch.sigmoid(-update), torch.sigmoid(update)


class MinLSTM(MinimalCell):
    """An LSTM whose gates see the input alone and share out 1: h' = (f h + i c) / (f + i) (Feng et al. 2024, 3.2).

    The gates are i = sigmoid(W_i x + b_i) and f = sigmoid(W_f x + b_f), in torch's order, and the candidate
    c = W_h x + b_h.
    """

    matrices = 3

    def _shares(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        entry, forget, _ = gates.chunk(3, dim=2)
        # Below -40 both would be as good as 0, and their ratio 0 / 0. By logarithms a pass takes 4 to 7 times as long.
        entry, forget = entry.clamp(min=-40.0).sigmoid(), forget.clamp(min=-40.0).sigmoid()
        total = entry + forget
        return forget / total, entry / total
