"""The recurrent network that writes: from what was written so far, and from the encoder's steps, what to write next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from seqpipe.core.sequence import PaddedSequence, end_states
from seqpipe.decoders.attention import Attention, AttentionKind, Memory
from seqpipe.decoders.state import State
from seqpipe.layers.dropout import dropout
from seqpipe.layers.initialization import initialize_recurrent
from seqpipe.layers.lstm import LSTM

DecoderCell = Literal["lstm", "gru"]
Bridge = Literal["mean", "ends", "zero"]
"""What the first state is made of: the ``mean`` of the encoder's steps, its last ones of both directions (``ends``), or
nothing (``zero``)."""


class RecurrentDecoder(nn.Module):
    """Stacked LSTM or GRU layers that attend to the encoder's steps.

    With ``dot``, ``general`` and ``multi_head`` the layers run first and their output asks (Luong et al. 2015); with
    ``bahdanau`` and ``location`` the output of the step before asks, and what it gets goes into the layers (Bahdanau et
    al. 2015). The output is tanh(W [context; layers' output]) in all cases.

    Without input feeding, and but for these two, no step needs what attention gave to the one before. Then, while
    training, each layer runs over all steps in one call, and attention too.

    Args:
        memory_size: D, features of an encoded step.
        embedding_size: E, of what was written.
        hidden_size: H, units of a layer.
        output_size: O, features of an output.
        layers: how many are stacked.
        cell: ``lstm`` or ``gru``.
        attention, heads: see `Attention`.
        input_feeding: the output goes into the next step beside what was written (Luong et al. 2015).
        bridge: see `Bridge`.
        dropout: probability, after every layer and on the output.
        attention_dropout: probability, on the weights of attention.
    """

    def __init__(
        self,
        *,
        memory_size: int,
        embedding_size: int,
        hidden_size: int,
        output_size: int,
        layers: int = 1,
        cell: DecoderCell = "lstm",
        attention: AttentionKind = "general",
        heads: int = 4,
        input_feeding: bool = False,
        bridge: Bridge = "mean",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.hidden_size, self.output_size, self.cell, self.kind = hidden_size, output_size, cell, bridge
        self.input_feeding, self.dropout = input_feeding, dropout
        self.attention = Attention(attention, hidden_size, memory_size, heads, attention_dropout)
        self.attends_first = attention in ("bahdanau", "location")
        first = embedding_size + output_size * input_feeding + memory_size * self.attends_first
        make = LSTM if cell == "lstm" else nn.GRU
        sizes = [first] + [hidden_size] * (layers - 1)
        layers_made = [make(size, hidden_size, batch_first=True) for size in sizes]
        for layer in layers_made:
            initialize_recurrent(layer, "orthogonal", 1.0)
        self.layers = nn.ModuleList(layers_made)
        states = layers * (2 if cell == "lstm" else 1)
        self.bridge = nn.Linear(memory_size, states * hidden_size) if bridge != "zero" else None
        self.output = nn.Linear(memory_size + hidden_size, output_size, bias=False)

    @property
    def parallel(self) -> bool:
        """Whether all steps can be computed at once when it is known what is to be written."""
        return not (self.attends_first or self.input_feeding)

    def start(self, encoded: PaddedSequence) -> State:
        """The first state of each row, ``W = 1``."""
        values, lengths = encoded.masked()
        rows, layers = len(values), len(self.layers)
        fed = values.new_zeros(rows, self.output_size if self.input_feeding else 0)
        weights = values.new_zeros(rows, values.shape[1] if self.attention.follows else 0)
        if self.bridge is None:
            hidden = values.new_zeros(layers, rows, self.hidden_size)
            return State(hidden, hidden, fed, weights)
        if self.kind == "mean":
            seen = values.sum(dim=1) / lengths[:, None].clamp(min=1)
        else:
            seen = end_states(PaddedSequence(values, lengths))
        states = self.bridge(seen).tanh().unflatten(1, (-1, layers, self.hidden_size)).permute(1, 2, 0, 3)
        hidden = states[0].contiguous()
        return State(hidden, states[1].contiguous() if self.cell == "lstm" else hidden, fed, weights)

    def forward(self, written: Tensor, encoded: PaddedSequence) -> tuple[Tensor, Tensor]:
        """What follows each step, given all that was written.

        Args:
            written: embeddings ``[B, L, E]``; what stands behind a row's end changes nothing before it.
            encoded: ``[B, T, D]``.

        Returns:
            Outputs ``[B, L, O]`` and weights of attention ``[B, L, T]``.
        """
        memory, state = self.attention.remember(encoded), self.start(encoded)
        if self.parallel:
            outputs, _ = self._recur(written, state)
            context, weights = self.attention(outputs, memory)
            return self._mixed(context, outputs), weights
        found = []
        for step in range(written.shape[1]):
            output, weights, state = self.step(written[:, step], memory, state)
            found.append((output, weights[:, 0]))
        outputs, weights = (torch.stack(parts, dim=1) for parts in zip(*found, strict=True))
        return outputs, weights

    def step(
        self,
        written: Tensor,
        memory: Memory,
        state: State,
        recur: Callable[[Tensor, State], tuple[Tensor, State]] | None = None,
    ) -> tuple[Tensor, Tensor, State]:
        """One step of W hypotheses for each of the memory's rows.

        Args:
            written: embeddings ``[B · W, E]`` of what was written last.
            memory: of B rows.
            state: of the B · W hypotheses, those of a row side by side.
            recur: runs the layers in the place of torch's, and may take fewer embeddings than hypotheses; see
                `SingleSteps`.

        Returns:
            Outputs ``[B · W, O]``, weights of attention ``[B, W, T]``, and the next state.
        """
        rows = len(memory.keys)
        inputs = [written, state.fed] if self.input_feeding else [written]
        if self.attends_first:
            before = state.weights.unflatten(0, (rows, -1)) if self.attention.follows else None
            context, weights = self.attention(state.hidden[-1].unflatten(0, (rows, -1)), memory, before)
            inputs.append(context.flatten(0, 1))
        output, following = (recur or self._recur)(torch.cat(inputs, dim=-1)[:, None], state)
        output = output[:, 0].unflatten(0, (rows, -1))  # [B, W, H]
        if not self.attends_first:
            context, weights = self.attention(output, memory)
        output = self._mixed(context, output).flatten(0, 1)
        if self.input_feeding:
            following = following._replace(fed=output)
        if self.attention.follows:
            following = following._replace(weights=weights.flatten(0, 1).to(state.weights.dtype))
        return output, weights, following

    def _recur(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The layers over ``[N, L, E]`` from a state on: ``[N, L, H]`` and the state behind."""
        hidden, cell = [], []
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            before = state.hidden[number : number + 1]
            if self.cell == "lstm":
                inputs, (after, kept) = layer(inputs, (before, state.cell[number : number + 1]))
                cell.append(kept)
            else:
                inputs, after = layer(inputs, before)
            hidden.append(after)
            if number < last:
                inputs = dropout(inputs, self.dropout, self.training)
        states = torch.cat(hidden)
        return inputs, State(states, torch.cat(cell) if cell else states, state.fed, state.weights)

    def _mixed(self, context: Tensor, outputs: Tensor) -> Tensor:
        mixed = self.output(torch.cat([context.to(outputs.dtype), outputs], dim=-1)).tanh()
        return dropout(mixed, self.dropout, self.training)
