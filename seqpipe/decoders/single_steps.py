"""A decoder's layers one step at a time, for a search, which asks for thousands of them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.decoders.state import State
from seqpipe.layers.precision import product_types


class SingleSteps:
    """LSTM or GRU layers whose weights are made ready once, for steps without gradients.

    What torch's layers compute, whose calls are made for many steps: for one they take twice as long. Products are in
    autocast's type, where it is on; gates and states in float32 (of float64 in it).

    Args:
        layers: torch's, of one layer and one direction each.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self._layers = [_Layer(layer) for layer in layers]

    def __call__(self, inputs: Tensor, state: State, places: Tensor | None = None) -> tuple[Tensor, State]:
        """Outputs ``[N, 1, H]`` and the state behind.

        Args:
            inputs: ``[N, 1, E]``; or, with ``places``, ``[U, 1, E]``.
            state: of N hypotheses.
            places: which input each hypothesis has, ``[N]``: several have written the same.
        """
        hidden, cell = [], []
        values = inputs[:, 0]
        for number, layer in enumerate(self._layers):
            gates = layer.from_input(values)
            if number == 0 and places is not None:
                gates = gates.index_select(0, places)
            values, kept = layer.step(gates, state.hidden[number], state.cell[number])
            hidden.append(values)
            cell.append(kept)
        states = _stacked(hidden)
        lstm = cell[0] is not hidden[0]
        return values[:, None], State(states, _stacked(cell) if lstm else states, state.fed, state.weights)


def _stacked(states: list[Tensor]) -> Tensor:
    return torch.stack(states) if len(states) > 1 else states[0][None]  # without a copy


class _Layer:
    def __init__(self, layer: nn.Module) -> None:
        self._lstm = isinstance(layer, nn.LSTM)
        weights = dict(layer.named_parameters())
        self._products, self._exact = product_types(weights["weight_ih_l0"])
        self._input = weights["weight_ih_l0"].to(self._products)
        self._recurrent = weights["weight_hh_l0"].to(self._products)
        self._bias = weights["bias_ih_l0"].to(self._exact)
        self._recurrent_bias = weights["bias_hh_l0"].to(self._exact)
        if self._lstm:  # the two are only ever added up
            self._bias = self._bias + self._recurrent_bias

    def from_input(self, inputs: Tensor) -> Tensor:
        """What inputs ``[N, E]`` add to the gates, ``[N, 4 H]`` (of a GRU 3 H)."""
        return F.linear(inputs.to(self._products), self._input).to(self._exact).add_(self._bias)

    def _from_state(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden.to(self._products), self._recurrent).to(self._exact)

    def step(self, gates: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden and cell states ``[N, H]``, the same of a GRU; the gates are used up."""
        if self._lstm:
            if self._products == self._exact:
                gates.addmm_(hidden.to(self._exact), self._recurrent.t())
            else:
                gates.add_(self._from_state(hidden))
            entry, forget, new, exit_ = gates.chunk(4, dim=1)
            kept = torch.addcmul(cell.to(self._exact) * forget.sigmoid_(), entry.sigmoid_(), new.tanh_())
            return exit_.sigmoid_() * kept.tanh(), kept
        reset, update, new = self._from_state(hidden).add_(self._recurrent_bias).chunk(3, dim=1)
        by_reset, by_update, by_new = gates.chunk(3, dim=1)
        reset, update = (reset + by_reset).sigmoid_(), (update + by_update).sigmoid_()
        new = torch.addcmul(by_new, reset, new).tanh_()
        after = torch.lerp(new, hidden.to(self._exact), update)
        return after, after
