"""1-D convolutions over time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn
from torch.nn import functional as F

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence, length_mask
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError
from seqpipe.frontends.span import STEP_MULTIPLE, Span, Strided, convolution_span, same_padding, strided_length
from seqpipe.layers.activation import Activation, activate
from seqpipe.layers.dropout import dropout
from seqpipe.layers.masked_norm import MaskedLayerNorm, NormalizationName, folded, make_norm

Size = Annotated[int, Field(gt=0)]


class Conv1dFrontEnd(Strided, Stage):
    """1-D convolutions over time, each followed by normalisation and an activation.

    Args:
        input_size: D, features of a step.
        channels: C of each layer.
        kernels: steps that each layer sees.
        strides: steps that each layer advances by.
        normalization: ``batch`` (statistics over real steps only), ``layer`` (over the channels of a step) or ``none``.
        activation: ``relu``, ``gelu``, ``silu`` or ``hardtanh`` (0 to 20).
        dropout: probability, after every layer.

    Shape: ``[B, T, D]`` -> ``[B, T', C]`` with T' = ceil(T / product of strides).
    """

    role = "frontend"

    def __init__(
        self,
        *,
        input_size: InputSize,
        channels: Annotated[list[Size], Field(min_length=1)] = [256, 256],  # noqa: B006
        kernels: list[Size] = [5, 5],  # noqa: B006
        strides: list[Size] = [2, 1],  # noqa: B006
        normalization: NormalizationName = "batch",
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__()
        if not len(channels) == len(kernels) == len(strides):
            raise ConfigError(
                "Conv1dFrontEnd: channels, kernels and strides need one entry a layer; "
                f"received {len(channels)}, {len(kernels)} and {len(strides)}"
            )
        self.activation: Activation = activation
        self.dropout = dropout
        self.kernels, self.strides = kernels, strides
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        previous, self.span = input_size, Span()
        for channel, kernel, stride in zip(channels, kernels, strides, strict=True):
            self.convolutions.append(nn.Conv1d(previous, channel, kernel, stride, bias=normalization == "none"))
            self.norms.append(make_norm(normalization, channel))
            previous = channel
            self.span = self.span.then(convolution_span(kernel, stride))
        self.output_size = previous

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Convolve."""
        values, lengths = sequence.masked().extended(STEP_MULTIPLE)
        values = values.transpose(1, 2)  # [B, D, T]
        for convolution, norm, kernel, stride in zip(
            self.convolutions, self.norms, self.kernels, self.strides, strict=True
        ):
            values = convolution(F.pad(values, same_padding(kernel)))  # [B, C, T']
            lengths = strided_length(lengths, stride)
            mask = length_mask(lengths, values.shape[2]).unsqueeze(1)
            # Padding becomes 0 before the activation, which keeps it 0: both can then work in place.
            values = activate(norm(values, mask).masked_fill_(~mask, 0.0), self.activation)
            values = dropout(values, self.dropout, self.training)
        return PaddedSequence(values.transpose(1, 2), lengths)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        values, lengths = graph.masked(sequence)
        values = graph.transpose(values, [0, 2, 1])  # [B, D, T]
        for convolution, norm, kernel, stride in zip(
            self.convolutions, self.norms, self.kernels, self.strides, strict=True
        ):
            weight, bias = map(graph.constant, folded(convolution, norm))
            values = graph.op("Conv", values, weight, bias, strides=[stride], pads=same_padding(kernel))
            lengths = graph.strided_lengths(lengths, stride)
            steps = graph.transpose(values, [0, 2, 1])  # [B, T', C]
            if isinstance(norm, MaskedLayerNorm):
                steps = norm.to_onnx(graph, steps)
            steps = graph.activation(graph.masked(Symbol(steps, lengths)).values, self.activation)
            values = graph.transpose(steps, [0, 2, 1])
        return Symbol(graph.transpose(values, [0, 2, 1]), lengths)
