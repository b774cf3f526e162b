"""An encoder that shortens: each layer reads several steps of the one below at once."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence, round_up
from seqpipe.core.stage import Stage
from seqpipe.encoders.recurrent import Cell, RecurrentEncoder
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.initialization import Initialization


class PyramidalEncoder(Stage):
    """Bidirectional recurrent layers, each over the joined steps of the layer below (Chan et al. 2016).

    Before every layer ``factor`` neighbouring steps become one, their features side by side; what is missing at the
    end of a row is zeros. With two layers and a factor of 2, a decoder attends to a quarter of the steps.

    Args:
        input_size: D, features of a step.
        cell: see `RecurrentEncoder`.
        hidden_size: H, units of a layer in each direction.
        layers: how many are stacked; the first joins steps too.
        factor: steps that are joined.
        layer_norm: normalise each step's features after every layer.
        dropout: probability, between the layers.
        dropout_kind: what is dropped together; see `DropoutKind`.
        initialization, forget_bias, chrono_steps: of the weights; see `RecurrentEncoder`.

    Shape: ``[B, T, D]`` -> ``[B, T', 2 H]`` with T' = T divided by ``factor`` and rounded up, once for each layer.

    Example:
        >>> encoder = PyramidalEncoder(input_size=80, hidden_size=32, layers=2)
        >>> encoder(PaddedSequence(torch.randn(2, 50, 80), torch.tensor([31, 50]))).lengths.tolist()
        [8, 13]
    """

    role = "encoder"

    def __init__(
        self,
        *,
        input_size: InputSize,
        cell: Cell = "lstm",
        hidden_size: Annotated[int, Field(gt=0)] = 256,
        layers: Annotated[int, Field(gt=0)] = 2,
        factor: Annotated[int, Field(gt=1)] = 2,
        layer_norm: bool = False,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        initialization: Initialization = "orthogonal",
        forget_bias: float = 1.0,
        chrono_steps: Annotated[int, Field(gt=2)] | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.factor, self.dropout, self.dropout_kind = factor, dropout, dropout_kind
        self.output_size = 2 * hidden_size
        self.layers: Any = nn.ModuleList(
            RecurrentEncoder(
                input_size=factor * size,
                cell=cell,
                hidden_size=hidden_size,
                layers=1,
                layer_norm=layer_norm,
                initialization=initialization,
                forget_bias=forget_bias,
                chrono_steps=chrono_steps,
            )
            for size in [input_size] + [self.output_size] * (layers - 1)
        )

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Divided by the factor and rounded up, once for each layer."""
        for _ in self.layers:
            lengths = (lengths + self.factor - 1) // self.factor
        return lengths

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """The middle of the joined steps."""
        joined = self.factor ** len(self.layers)
        return steps * joined + (joined - 1) / 2

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Join and encode, layer by layer."""
        for index, layer in enumerate(self.layers):
            if index:
                values = dropout(sequence.values, self.dropout, self.training, self.dropout_kind)
                sequence = PaddedSequence(values, sequence.lengths)
            sequence = layer(join_steps(sequence, self.factor))
        return sequence

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        size, none = self.input_size, graph.constant([0], np.int64)
        for layer in self.layers:
            values, lengths = graph.masked(sequence)
            missing = graph.op("Mod", graph.op("Neg", graph.size(values, 1)), graph.constant([self.factor], np.int64))
            padded = graph.op("Pad", values, graph.op("Concat", *[none] * 4, missing, none, axis=0), mode="constant")
            joined = graph.reshape(padded, [0, -1, self.factor * size])
            sequence = layer.to_onnx(graph, Symbol(joined, graph.strided_lengths(lengths, self.factor)))
            size = layer.output_size
        return sequence


def join_steps(sequence: PaddedSequence, factor: int) -> PaddedSequence:
    """Neighbouring steps side by side: ``[B, T, D]`` -> ``[B, ceil(T / factor), factor · D]``."""
    values, lengths = sequence.masked()
    batch, steps, size = values.shape
    values = F.pad(values, (0, 0, 0, round_up(steps, factor) - steps))
    return PaddedSequence(
        values.reshape(batch, -1, factor * size), torch.div(lengths + factor - 1, factor, rounding_mode="floor")
    )
