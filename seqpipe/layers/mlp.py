"""The multi-layer perceptron between an encoder and a head's scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from seqpipe.core.onnx_graph import OnnxGraph
from seqpipe.core.sequence import PaddedSequence
from seqpipe.layers.activation import Activation, activate
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.masked_norm import MaskedLayerNorm, NormalizationName, folded, make_norm


class MLP(nn.Module):
    """Dropout, hidden layers (linear, normalisation, activation, dropout), and a linear layer of scores, step by step.

    Args:
        input_size: D.
        hidden_sizes: units of each hidden layer; none gives a linear model.
        output_size: scores of a step.
        dropout: probability, before every layer.
        dropout_kind: of the first dropout; see `DropoutKind`.
        normalization: ``batch`` (statistics of real steps alone), ``layer`` or ``none``.
        activation: of hidden layers.
    """

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        output_size: int,
        *,
        dropout: float,
        dropout_kind: DropoutKind,
        normalization: NormalizationName,
        activation: Activation,
    ) -> None:
        super().__init__()
        sizes = [input_size, *hidden_sizes]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.norms = nn.ModuleList(make_norm(normalization, size) for size in hidden_sizes)
        self.output = nn.Linear(sizes[-1], output_size)
        self.dropout, self.dropout_kind, self.activation = dropout, dropout_kind, activation

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """``[B, T, D]`` -> scores ``[B, T, output_size]``, in fp32."""
        values, lengths = sequence.masked()
        mask = sequence.mask().unsqueeze(1)  # [B, 1, T]
        values = dropout(values, self.dropout, self.training, self.dropout_kind)
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            normed = norm(layer(values).transpose(1, 2), mask).transpose(1, 2)
            values = dropout(activate(normed, self.activation), self.dropout, self.training)
        return PaddedSequence(self.output(values).float(), lengths)

    def to_onnx(self, graph: OnnxGraph, values: str) -> str:
        """``[..., D]`` -> ``[..., output_size]``, as nodes of a graph."""
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            values = graph.linear(values, *folded(layer, norm))
            if isinstance(norm, MaskedLayerNorm):
                values = norm.to_onnx(graph, values)
            values = graph.activation(values, self.activation)
        return graph.linear(values, self.output.weight.detach(), self.output.bias.detach())
