"""Recurrent layers that go on where an earlier part of the same rows has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = tuple[Tensor, ...]
"""``[B, H]`` of each layer in turn; of an LSTM two, hidden and cell state."""


def zero_state(layers: Sequence[nn.Module] | nn.ModuleList, rows: int) -> State:
    """The state before the first step, in the type and on the device of the weights."""
    found = []
    for layer in layers:
        size = int(layer.hidden_size)  # type: ignore[arg-type]
        weight = next(layer.parameters())
        found += [weight.new_zeros(rows, size) for _ in range(parts_of(layer))]
    return tuple(found)


def parts_of(layer: nn.Module) -> int:
    """How many tensors are a layer's state."""
    return 2 if isinstance(layer, nn.LSTM) else 1


class CarriedRun:
    """Runs each of several one-way layers, in their order, on from its own part of a state.

    Rows that have ended are left out of what is computed further, so their states are those behind their last steps.

    Args:
        layers: of torch, or called alike.
        lengths: of the rows, ``[B]``; a row of none keeps its state.
        state: before the first step; see `State`.
    """

    def __init__(self, layers: nn.ModuleList, lengths: Tensor, state: State) -> None:
        self._borders = [0, *sorted({int(length) for length in lengths.tolist() if length})]
        self._lengths = lengths
        self._before: dict[int, list[Tensor]] = {}
        self._after: dict[int, list[Tensor]] = {}
        at = 0
        for layer in layers:
            count = parts_of(layer)
            self._before[id(layer)] = list(state[at : at + count])
            at += count

    @property
    def state(self) -> State:
        """Behind each row's last step, once all layers have run."""
        return tuple(part for parts in self._after.values() for part in parts)

    def __call__(self, layer: nn.Module, values: Tensor) -> Tensor:
        """``[B, T, D]`` -> ``[B, T, H]``, zeros in the padding."""
        state = self._before[id(layer)]
        outputs = []
        for start, stop in zip(self._borders[:-1], self._borders[1:], strict=True):
            alive = (self._lengths >= stop).nonzero()[:, 0]
            if len(alive) == len(values):
                output, after = layer(values[:, start:stop], _given(state))
                state = [new.to(part.dtype) for part, new in zip(state, _kept(after), strict=True)]
            else:
                output, after = layer(values[alive, start:stop], _given([part[alive] for part in state]))
                whole = torch.zeros(len(values), *output.shape[1:], dtype=output.dtype, device=output.device)
                output = whole.index_copy(0, alive, output)
                state = [
                    part.index_copy(0, alive, new.to(part.dtype)) for part, new in zip(state, _kept(after), strict=True)
                ]
            outputs.append(output)
        self._after[id(layer)] = state
        if not outputs:
            return values.new_zeros(*values.shape[:2], int(layer.hidden_size))  # type: ignore[arg-type]
        steps = torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0]
        return F.pad(steps, (0, 0, 0, values.shape[1] - steps.shape[1]))


def _given(state: list[Tensor]) -> Any:
    parts = tuple(part[None].contiguous() for part in state)  # [1, B, H], as torch's layers have it
    return parts if len(parts) > 1 else parts[0]


def _kept(after: Any) -> list[Tensor]:
    return [part[0] for part in (after if isinstance(after, tuple) else (after,))]
