"""One vector of scores for a whole input: the steps pooled, then a multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from seqpipe.core.sequence import PaddedSequence
from seqpipe.layers.activation import Activation
from seqpipe.layers.dropout import DropoutKind, dropout
from seqpipe.layers.masked_norm import NormalizationName
from seqpipe.layers.mlp import MLP
from seqpipe.layers.pooling import Pooling, PoolingKind


class PooledMLP(nn.Module):
    """What heads of whole inputs have in common.

    Args:
        input_size: D.
        pooling: kinds side by side; see `PoolingKind`.
        step_dropout, dropout_kind: of the steps, before they are pooled.
        hidden_sizes, dropout, normalization, activation: of the `MLP`.

    Attributes:
        pooling: the steps as one vector.
        mlp: the scores of it; None until `grow` knows how many.
    """

    def __init__(
        self,
        input_size: int,
        pooling: Sequence[PoolingKind],
        hidden_sizes: Sequence[int],
        *,
        step_dropout: float,
        dropout_kind: DropoutKind,
        dropout: float,
        normalization: NormalizationName,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.pooling = Pooling(input_size, pooling)
        self.step_dropout, self.dropout_kind = step_dropout, dropout_kind
        self.mlp: MLP | None = None
        self._make = partial(
            MLP,
            self.pooling.output_size,
            hidden_sizes,
            dropout=dropout,
            dropout_kind="elements",
            normalization=normalization,
            activation=activation,
        )

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
            ValueError: `grow` has not been called.
        """
        if self.mlp is None:
            raise ValueError("the number of scores is not known yet: call grow(output_size) first")
        ones = torch.ones(len(pooled), dtype=torch.int64, device=pooled.device)
        found: PaddedSequence = self.mlp(PaddedSequence(pooled.unsqueeze(1), ones))
        return found.values[:, 0]
