"""2-D convolutions over time and frequency."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence, length_mask
from seqpipe.core.stage import Stage
from seqpipe.errors import ConfigError
from seqpipe.frontends.span import (
    STEP_MULTIPLE,
    Span,
    Strided,
    convolution_span,
    pooling_span,
    same_padding,
    strided_length,
)
from seqpipe.layers.activation import Activation, activate
from seqpipe.layers.dropout import dropout
from seqpipe.layers.masked_norm import MaskedLayerNorm, NormalizationName, folded, make_norm

Size = Annotated[int, Field(gt=0)]


class Conv2dFrontEnd(Strided, Stage):
    """2-D convolutions over time and features, each followed by pooling, normalisation and an activation.

    For speech as in Amodei et al. 2016; with max-pooling, for line images, as in Puigcerver 2017. Pooling comes first
    of the three, which leaves the least to normalise; with ``relu`` and no normalisation that equals pooling last.

    Args:
        input_size: D, features (frequency bands, rows of pixels) of a step.
        channels: C of each layer.
        kernels: steps and features that each layer sees, as pairs; one pair a layer.
        strides: steps and features that each layer advances by, as pairs; one pair a layer. None: (1, 1) everywhere
            where there is pooling, else (2, 2) and (1, 2), which are for two layers.
        pools: steps and features that are max-pooled after each layer, as pairs, (1, 1) for none; one pair a layer, or
            an empty list. A pool at a row's end sees the row's own steps alone.
        normalization: ``batch`` (statistics over real steps only), ``layer`` (over the channels of a position) or
            ``none``.
        activation: ``relu``, ``gelu``, ``silu`` or ``hardtanh`` (0 to 20).
        dropout: probability, after every layer.
        dropout_kind: what is dropped together: ``elements`` nothing, ``channels`` a channel of a row at all of its
            positions (Tompson et al. 2015).
        collapse: what becomes of the features that are left of D: they all stay (``flatten``), or each channel keeps
            its greatest value over them (``max``, Retsinas et al. 2022) or their mean (``mean``).

    Shape: ``[B, T, D]`` -> ``[B, T', C · F']`` with T' = ceil(T / product of time strides and pools), F' likewise of D;
    ``[B, T', C]`` if collapsed.
    """

    role = "frontend"

    def __init__(
        self,
        *,
        input_size: InputSize,
        channels: Annotated[list[Size], Field(min_length=1)] = [32, 32],  # noqa: B006
        kernels: list[tuple[Size, Size]] = [(5, 5), (5, 5)],  # noqa: B006
        strides: list[tuple[Size, Size]] | None = None,
        pools: list[tuple[Size, Size]] = [],  # noqa: B006
        normalization: NormalizationName = "batch",
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: Literal["elements", "channels"] = "elements",
        collapse: Literal["flatten", "max", "mean"] = "flatten",
    ) -> None:
        super().__init__()
        if strides is None:
            strides = [(1, 1)] * len(channels) if pools else [(2, 2), (1, 2)]
        counts = [len(channels), len(kernels), len(strides), *([len(pools)] if pools else [])]
        if len(set(counts)) > 1:
            raise ConfigError(
                f"Conv2dFrontEnd: channels, kernels, strides{', pools' if pools else ''} need one entry a layer; "
                f"received {', '.join(map(str, counts[:-1]))} and {counts[-1]}"
            )
        pools = pools or [(1, 1)] * len(channels)
        self.activation: Activation = activation
        self.dropout, self.dropout_kind = dropout, dropout_kind
        self.collapse = collapse
        self.kernels, self.strides, self.pools = kernels, strides, pools
        self.input_size = input_size
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        bands, previous, self.span = input_size, 1, Span()
        for channel, kernel, stride, pool in zip(channels, kernels, strides, pools, strict=True):
            padding = same_padding(kernel[0])[0], same_padding(kernel[1])[0]
            # The bias is the normalisation's matter where there is one.
            bias = normalization == "none"
            self.convolutions.append(nn.Conv2d(previous, channel, kernel, stride, padding, bias=bias))
            self.norms.append(make_norm(normalization, channel))
            bands, previous = strided_length(strided_length(bands, stride[1]), pool[1]), channel
            self.span = self.span.then(convolution_span(kernel[0], stride[0])).then(pooling_span(pool[0]))
        self.output_size = previous * bands if collapse == "flatten" else previous

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Convolve."""
        values, lengths = sequence.masked().extended(STEP_MULTIPLE)
        values = values.unsqueeze(1)  # [B, 1, T, F]
        for convolution, norm, kernel, stride, pool in zip(
            self.convolutions, self.norms, self.kernels, self.strides, self.pools, strict=True
        ):
            if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
                # The convolution pads both sides alike: what an even kernel needs more stands behind.
                values = F.pad(values, (0, 1 - kernel[1] % 2, 0, 1 - kernel[0] % 2))
            if values.device.type == "cpu":
                # Channels last is the layout that oneDNN computes in: a third less time in all on 60 rows, and in
                # training under bf16.
                values = values.to(memory_format=torch.channels_last)
            values = convolution(values)  # [B, C, T', F']
            lengths = strided_length(lengths, stride[0])
            if pool != (1, 1):
                values, lengths = _max_pooled(values, lengths, pool)
            mask = length_mask(lengths, values.shape[2])[:, None, :, None]
            # Padding becomes 0 before the activation, which keeps it 0: both can then work in place.
            values = activate(_cleared(norm(values, mask), mask), self.activation)
            if self.dropout_kind == "channels":
                values = values * dropout(values.new_ones(*values.shape[:2], 1, 1), self.dropout, self.training)
            else:
                values = dropout(values, self.dropout, self.training)
        if self.collapse == "flatten":
            return PaddedSequence(values.transpose(1, 2).flatten(2), lengths)  # [B, T', C · F']
        values = values.amax(3) if self.collapse == "max" else values.mean(3)
        return PaddedSequence(values.transpose(1, 2), lengths)  # [B, T', C]

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        values, lengths = graph.masked(sequence)
        values = graph.op("Unsqueeze", values, graph.constant([1], np.int64))  # [B, 1, T, F]
        bands = self.input_size
        for convolution, norm, kernel, stride, pool in zip(
            self.convolutions, self.norms, self.kernels, self.strides, self.pools, strict=True
        ):
            (top, bottom), (left, right) = map(same_padding, kernel)
            weight, bias = map(graph.constant, folded(convolution, norm))
            values = graph.op("Conv", values, weight, bias, strides=stride, pads=[top, left, bottom, right])
            lengths, bands = graph.strided_lengths(lengths, stride[0]), strided_length(bands, stride[1])
            if pool != (1, 1):
                values = _pool_to_onnx(graph, Symbol(values, lengths), pool, bands)
                lengths, bands = graph.strided_lengths(lengths, pool[0]), strided_length(bands, pool[1])
            if isinstance(norm, MaskedLayerNorm):
                values = graph.transpose(norm.to_onnx(graph, graph.transpose(values, [0, 2, 3, 1])), [0, 3, 1, 2])
            values = graph.activation(graph.where(_step_mask(graph, values, lengths), values, 0.0), self.activation)
        values = graph.transpose(values, [0, 2, 1, 3])  # [B, T', C, F']
        if self.collapse == "flatten":
            return Symbol(graph.reshape(values, [0, 0, -1]), lengths)
        kind = "ReduceMax" if self.collapse == "max" else "ReduceMean"
        return Symbol(graph.reduce(kind, values, [3], keep=False), lengths)


def _step_mask(graph: OnnxGraph, values: str, lengths: str) -> str:
    """``[B, 1, T, 1]``, true at real steps of ``[B, C, T, F]``."""
    return graph.op("Unsqueeze", graph.mask(Symbol(values, lengths), axis=2), graph.constant([1, 3], np.int64))


def _pool_to_onnx(graph: OnnxGraph, sequence: Symbol, pool: tuple[int, int], bands: int) -> str:
    """`_max_pooled` as nodes of a graph: what a pool lacks at an end, and the padding, is minus infinity."""
    values = graph.where(_step_mask(graph, *sequence), sequence.values, -np.inf)
    one = graph.constant([pool[0]], np.int64)
    missing = graph.op("Mod", graph.op("Neg", graph.size(values, 2)), one)  # of steps
    none, beside = graph.constant([0], np.int64), graph.constant([-bands % pool[1]], np.int64)
    pads = graph.op("Concat", *[none] * 4, none, none, missing, beside, axis=0)
    padded = graph.op("Pad", values, pads, graph.constant(-np.inf), mode="constant")
    return graph.op("MaxPool", padded, kernel_shape=pool, strides=pool)


def _cleared(values: Tensor, mask: Tensor) -> Tensor:
    """The values, in place, with 0 where the mask is false."""
    cleared: Tensor = _Cleared.apply(values, mask)
    return cleared


class _Cleared(torch.autograd.Function):
    """As ``masked_fill_``, whose own gradient isn't channels last: the pool before it then takes five times as long."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        ctx.mark_dirty(values)
        return values.masked_fill_(~mask, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradients[0] * mask.to(gradients[0].dtype), None


def _max_pooled(values: Tensor, lengths: Tensor, pool: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """``[B, C, T, F]`` -> ``[B, C, ceil(T / steps), ceil(F / features)]``, each row by its own steps alone."""
    with torch.no_grad():  # what is lowered here is never a greatest value, so no gradient could pass it anyway
        for step in range(pool[0] - 1):
            # Only the pools that a row's end cuts short see its padding: it takes a few steps, not a mask.
            places = lengths + step
            rows = (places < strided_length(lengths, pool[0]) * pool[0]) & (places < values.shape[2])
            values[rows.nonzero()[:, 0], :, places[rows]] = -torch.inf
    return F.max_pool2d(values, pool, ceil_mode=True), strided_length(lengths, pool[0])
