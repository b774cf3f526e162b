"""2-D convolutions over time and frequency."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from seqpipe.dropout import dropout
from seqpipe.errors import ConfigError
from seqpipe.frontends.activation import Activation, activate
from seqpipe.frontends.masked_norm import NormalizationName, make_norm
from seqpipe.frontends.span import STEP_MULTIPLE, Span, Strided, convolution_span, same_padding, strided_length
from seqpipe.sequence import PaddedSequence, length_mask
from seqpipe.stage import InputSize, Stage

Size = Annotated[int, Field(gt=0)]


class Conv2dFrontEnd(Strided, Stage):
    """2-D convolutions over time and features, each followed by normalisation and an activation (Amodei et al. 2016).

    Args:
        input_size: D, features (frequency bands) of a step.
        channels: C of each layer.
        kernels: steps and features that each layer sees, as pairs; one pair a layer.
        strides: steps and features that each layer advances by, as pairs; one pair a layer.
        normalization: ``batch`` (statistics over real steps only), ``layer`` (over the channels of a position) or
            ``none``.
        activation: ``relu``, ``gelu``, ``silu`` or ``hardtanh`` (0 to 20).
        dropout: probability, after every layer.

    Shape: ``[B, T, D]`` -> ``[B, T', C · F']`` with T' = ceil(T / product of time strides), F' likewise of D.
    """

    role = "frontend"

    def __init__(
        self,
        *,
        input_size: InputSize,
        channels: Annotated[list[Size], Field(min_length=1)] = [32, 32],  # noqa: B006
        kernels: list[tuple[Size, Size]] = [(5, 5), (5, 5)],  # noqa: B006
        strides: list[tuple[Size, Size]] = [(2, 2), (1, 2)],  # noqa: B006
        normalization: NormalizationName = "batch",
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    ) -> None:
        super().__init__()
        if not len(channels) == len(kernels) == len(strides):
            raise ConfigError(
                "Conv2dFrontEnd: channels, kernels and strides need one entry a layer; "
                f"received {len(channels)}, {len(kernels)} and {len(strides)}"
            )
        self.activation: Activation = activation
        self.dropout = dropout
        self.kernels, self.strides = kernels, strides
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        bands, previous, self.span = input_size, 1, Span()
        for channel, kernel, stride in zip(channels, kernels, strides, strict=True):
            # The bias is the normalisation's matter where there is one.
            self.convolutions.append(nn.Conv2d(previous, channel, kernel, stride, bias=normalization == "none"))
            self.norms.append(make_norm(normalization, channel))
            bands, previous = strided_length(bands, stride[1]), channel
            self.span = self.span.then(convolution_span(kernel[0], stride[0]))
        self.output_size = previous * bands

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Convolve."""
        values, lengths = sequence.masked().extended(STEP_MULTIPLE)
        values = values.unsqueeze(1)  # [B, 1, T, F]
        for convolution, norm, kernel, stride in zip(
            self.convolutions, self.norms, self.kernels, self.strides, strict=True
        ):
            values = F.pad(values, (*same_padding(kernel[1]), *same_padding(kernel[0])))
            if values.device.type == "cpu" and not self.training:
                # Channels last is the layout that oneDNN computes in: a third less time in all on 60 rows.
                # In training, the normalisation's sums over that layout take away what it gains.
                values = values.to(memory_format=torch.channels_last)
            values = convolution(values)  # [B, C, T', F']
            lengths = strided_length(lengths, stride[0])
            mask = length_mask(lengths, values.shape[2])[:, None, :, None]
            # Padding becomes 0 before the activation, which keeps it 0: both can then work in place.
            values = activate(norm(values, mask).masked_fill_(~mask, 0.0), self.activation)
            values = dropout(values, self.dropout, self.training)
        batch, channels, steps, bands = values.shape
        return PaddedSequence(values.transpose(1, 2).reshape(batch, steps, channels * bands), lengths)
