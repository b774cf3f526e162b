"""Slopes of features over time."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence


class Deltas(Feature):
    """Append the regression slopes of every feature over time, once or twice (Furui 1986; HTK book, equation 5.16).

    Args:
        input_size: D, features of a step.
        order: 1 appends deltas, 2 double deltas too.
        width: steps on each side that the slope is fitted over.

    Shape: ``[B, T, D]`` -> ``[B, T, D · (1 + order)]``. Beyond its ends a row repeats its own first and last step.
    """

    def __init__(
        self, *, input_size: InputSize, order: Literal[1, 2] = 2, width: Annotated[int, Field(gt=0, le=20)] = 2
    ) -> None:
        super().__init__()
        self.order = order
        self.width = width
        self.output_size = input_size * (1 + order)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Append the slopes."""
        return with_deltas(sequence, self.order, self.width)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> Symbol:
        """See `Stage.to_onnx`."""
        return deltas_to_onnx(graph, sequence, self.order, self.width)


def with_deltas(sequence: PaddedSequence, order: int, width: int = 2) -> PaddedSequence:
    """A sequence with ``order`` generations of slopes beside it."""
    generations = [sequence]
    for _ in range(order):
        generations.append(slopes(generations[-1], width))
    return PaddedSequence(torch.cat([part.values for part in generations], dim=-1), sequence.lengths)


def slopes(sequence: PaddedSequence, width: int) -> PaddedSequence:
    """Least-squares slope over the ``2 · width + 1`` steps around each, each row's own edge steps repeated."""
    values, lengths = sequence
    batch, steps, size = values.shape
    at = torch.arange(steps, device=values.device)
    last = (lengths - 1).clamp(min=0)[:, None]  # [B, 1]
    total = torch.zeros_like(values)
    for distance in range(1, width + 1):
        ahead = torch.minimum(at + distance, last)[..., None].expand(batch, steps, size)
        behind = torch.minimum((at - distance).clamp(min=0), last)[..., None].expand(batch, steps, size)
        total = total + distance * (values.gather(1, ahead) - values.gather(1, behind))
    slope = total / (2 * sum(distance**2 for distance in range(1, width + 1)))
    return PaddedSequence(slope, lengths).masked()


def deltas_to_onnx(graph: OnnxGraph, sequence: Symbol, order: int, width: int = 2) -> Symbol:
    """`with_deltas` as nodes of a graph."""
    if not order:
        return sequence
    lengths = graph.op("Unsqueeze", sequence.lengths, graph.constant([1], np.int64))
    one, none = graph.constant(1, np.int64), graph.constant(0, np.int64)
    last = graph.op("Max", graph.op("Sub", lengths, one), none)  # [B, 1]
    steps = graph.op("Squeeze", graph.size(sequence.values, 1), graph.constant([0], np.int64))
    at = graph.op("Range", none, steps, one)  # [T]
    generations = [sequence.values]
    for _ in range(order):
        total = ""
        for distance in range(1, width + 1):
            far = graph.constant(distance, np.int64)
            ahead = graph.op("Min", graph.op("Add", at, far), last)  # [B, T]
            behind = graph.op("Min", graph.op("Max", graph.op("Sub", at, far), none), last)
            picked = [_gathered(graph, generations[-1], places) for places in (ahead, behind)]
            part = graph.op("Mul", graph.op("Sub", *picked), graph.constant(float(distance)))
            total = graph.op("Add", total, part) if total else part
        squares = 2.0 * sum(distance**2 for distance in range(1, width + 1))
        slope = graph.op("Div", total, graph.constant(squares))
        generations.append(graph.masked(Symbol(slope, sequence.lengths)).values)
    return Symbol(graph.concatenate(generations), sequence.lengths)


def _gathered(graph: OnnxGraph, values: str, places: str) -> str:
    """Steps ``[B, T]`` of ``[B, T, D]``."""
    return graph.op("GatherND", values, graph.op("Unsqueeze", places, graph.constant([2], np.int64)), batch_dims=1)
