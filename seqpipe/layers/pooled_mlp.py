"""One vector of scores for a whole input: the steps pooled, then a multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from seqpipe.core.onnx_graph import OnnxGraph, Symbol
from seqpipe.core.sequence import PaddedSequence
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.mlp import MLP
from seqpipe.layers.pooling import Pooling, PoolingKind


class PooledMLP(nn.Module):
    """What heads of whole inputs have in common.

    Args:
        input_size: D.
        pooling: kinds side by side; see `PoolingKind`.
        step_dropout, dropout_kind: of the steps, before they are pooled.
        hidden_sizes, options: of the `MLP`: dropout, normalization, activation.

    Attributes:
        pooling: the steps as one vector.
        mlp: the scores of it; None until `build` knows how many.
    """

    def __init__(
        self,
        input_size: int,
        pooling: Sequence[PoolingKind],
        hidden_sizes: Sequence[int],
        *,
        step_dropout: float,
        dropout_kind: DropoutKind,
        **options: Any,
    ) -> None:
        super().__init__()
        self.input_size, self.pooling = input_size, Pooling(input_size, pooling)
        self.step_dropout, self.dropout_kind = step_dropout, dropout_kind
        self.mlp: MLP | None = None
        self._make = partial(MLP, self.pooling.output_size, hidden_sizes, dropout_kind="elements", **options)

    def build(self, output_size: int) -> None:
        """Make the mlp, once the number of scores is known."""
        self.mlp = self._make(output_size=output_size)

    def forward(self, encoded: PaddedSequence) -> Tensor:
        """``[B, T, D]`` -> scores ``[B, output_size]``, in fp32."""
        return self.scores(self.pool(encoded))

    def pool(self, encoded: PaddedSequence) -> Tensor:
        """``[B, T, D]`` -> ``[B, D']``."""
        values = dropout(encoded.values, self.step_dropout, self.training, self.dropout_kind)
        pooled: Tensor = self.pooling(PaddedSequence(values, encoded.lengths))
        return pooled

    def scores(self, pooled: Tensor) -> Tensor:
        """Of steps that are pooled already: ``[B, D']`` -> ``[B, output_size]``.

        Raises:
            ValueError: `build` has not been called.
        """
        if self.mlp is None:
            raise ValueError("the number of scores is not known yet: call build(output_size) first")
        ones = torch.ones(len(pooled), dtype=torch.int64, device=pooled.device)
        found: PaddedSequence = self.mlp(PaddedSequence(pooled.unsqueeze(1), ones))
        return found.values[:, 0]

    def to_onnx(self, graph: OnnxGraph, encoded: Symbol) -> tuple[str, str]:
        """``[B, T, D]`` -> what is pooled ``[B, D']``, and scores of it ``[B, output_size]``, as nodes of a graph."""
        if self.mlp is None:
            raise ValueError("the number of scores is not known yet: call build(output_size) first")
        pooled = self.pooling.to_onnx(graph, encoded, self.input_size)
        return pooled, self.mlp.to_onnx(graph, pooled)
