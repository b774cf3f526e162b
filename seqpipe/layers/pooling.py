"""A sequence as one vector: the steps of a row pooled in one way or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence, end_states

PoolingKind = Literal["mean", "root", "max", "end", "attention"]
"""``mean`` and ``max`` over the steps; ``root``: their sum over the root of their number, which stays of one size where
steps differ at random; ``end``: what each direction of a bidirectional encoder has seen last, its last
step and its first; ``attention``: a mean weighted by a learnt score of each step (Yang et al. 2016)."""


class Pooling(nn.Module):
    """Pool steps into one vector, the kinds side by side.

    Args:
        size: D, features of a step.
        kinds: at least one.

    Attributes:
        output_size: D times the number of kinds.
    """

    def __init__(self, size: int, kinds: Sequence[PoolingKind]) -> None:
        super().__init__()
        self.kinds = list(kinds)
        self.output_size = size * len(self.kinds)
        self.hidden = nn.Linear(size, size) if "attention" in self.kinds else None
        self.score = nn.Linear(size, 1, bias=False) if "attention" in self.kinds else None

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """``[B, T, D]`` -> ``[B, output_size]``."""
        values, lengths = sequence.masked()
        mask = sequence.mask().unsqueeze(-1)  # [B, T, 1]
        pooled = []
        for kind in self.kinds:
            if kind == "mean":
                pooled.append(values.sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1))
            elif kind == "root":
                pooled.append(values.sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1).sqrt())
            elif kind == "max":
                pooled.append(values.masked_fill(~mask, torch.finfo(values.dtype).min).amax(dim=1))
            elif kind == "end":
                pooled.append(end_states(PaddedSequence(values, lengths)))
            else:
                pooled.append((values * self.attention(sequence).unsqueeze(-1)).sum(dim=1))
        return torch.cat(pooled, dim=1)

    def attention(self, sequence: PaddedSequence) -> Tensor:
        """The weight of each step, ``[B, T]``, summing up to 1; 0 in the padding.

        Raises:
            ValueError: attention isn't among the kinds.
        """
        if self.hidden is None or self.score is None:
            raise ValueError(f"pooling is {', '.join(self.kinds)}; only attention has weights")
        values, _ = sequence.masked()
        scores = self.score(torch.tanh(self.hidden(values)))[..., 0].float()  # [B, T]
        return scores.masked_fill(~sequence.mask(), float("-inf")).softmax(dim=1).to(values.dtype)

    def to_onnx(self, graph: OnnxGraph, sequence: Symbol, size: int) -> str:
        """``[B, T, D]`` of ``size`` features -> ``[B, output_size]``, as nodes of a graph."""
        values, lengths = graph.masked(sequence)
        count = graph.op("Max", graph.op("Cast", lengths, to=1), graph.constant(1.0))
        count = graph.op("Unsqueeze", count, graph.constant([1], np.int64))  # [B, 1]
        pooled = []
        for kind in self.kinds:
            if kind in ("mean", "root"):
                total = graph.reduce("ReduceSum", values, [1], keep=False)
                pooled.append(graph.op("Div", total, count if kind == "mean" else graph.op("Sqrt", count)))
            elif kind == "max":
                least = float(torch.finfo(torch.float32).min)
                pooled.append(graph.reduce("ReduceMax", graph.masked(sequence, least).values, [1], keep=False))
            elif kind == "end":
                pooled.append(graph.end_states(Symbol(values, lengths), size))
            else:
                pooled.append(self._attended_to_onnx(graph, Symbol(values, lengths)))
        return graph.concatenate(pooled, 1)

    def _attended_to_onnx(self, graph: OnnxGraph, sequence: Symbol) -> str:
        if self.hidden is None or self.score is None:
            raise ValueError(f"pooling is {', '.join(self.kinds)}; only attention has weights")
        hidden = graph.linear(sequence.values, self.hidden.weight.detach(), self.hidden.bias.detach())
        scores = graph.linear(graph.op("Tanh", hidden), self.score.weight.detach())  # [B, T, 1]
        weights = graph.op("Softmax", graph.masked(Symbol(scores, sequence.lengths), -np.inf).values, axis=1)
        return graph.reduce("ReduceSum", graph.op("Mul", sequence.values, weights), [1], keep=False)
