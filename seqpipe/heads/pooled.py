"""What heads of whole inputs have in common: the steps pooled into one vector, then a multi-layer perceptron."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.head import Head
from seqpipe.core.options import InputSize
from seqpipe.heads.class_weights import ClassWeights
from seqpipe.heads.learnt import NamingHead
from seqpipe.layers.activation import Activation
from seqpipe.layers.dropout import DropoutKind
from seqpipe.layers.masked_norm import NormalizationName
from seqpipe.layers.pooled_mlp import PooledMLP
from seqpipe.layers.pooling import PoolingKind


class PooledHead(Head, register=False):
    """A head of whole inputs.

    Args:
        input_size: D, features of an encoded step.
        pooling: one kind or several side by side: ``mean``, ``max``, ``end``, ``attention``; see `PoolingKind`.
        hidden_sizes: units of hidden layers.
        activation: of hidden layers.
        step_dropout: probability, on the encoded steps.
        dropout_kind: of that; see `DropoutKind`.
        dropout: probability, on the pooled features and hidden layers.
        normalization: of hidden layers: ``none``, ``batch`` or ``layer``.

    Attributes:
        make_pooled: makes the layers for a number of features.
    """

    def __init__(
        self,
        *,
        input_size: InputSize,
        pooling: Annotated[list[PoolingKind], Field(min_length=1)] = ["mean", "max"],  # noqa: B006
        hidden_sizes: list[Annotated[int, Field(gt=0)]] = [],  # noqa: B006
        activation: Activation = "relu",
        step_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        dropout_kind: DropoutKind = "elements",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        normalization: NormalizationName = "none",
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.make_pooled = partial(
            PooledMLP,
            pooling=pooling,
            hidden_sizes=hidden_sizes,
            dropout=dropout,
            step_dropout=step_dropout,
            dropout_kind=dropout_kind,
            normalization=normalization,
            activation=activation,
        )

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """One step for each row."""
        return torch.ones_like(lengths)


class ClassesHead(PooledHead, NamingHead, register=False):
    """A head that tells classes apart.

    Args:
        class_weights: ``none``, ``balanced``, or weights by class; see `ClassWeights`.
        label_smoothing: share of the target's probability that goes to all classes alike (Szegedy et al. 2016).
        focal: exponent of the focal loss, which makes less of what is known already (Lin et al. 2017); 0 for none.
        options: of `PooledHead`.
    """

    def __init__(
        self,
        *,
        class_weights: ClassWeights = "none",
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        focal: Annotated[float, Field(ge=0)] = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.class_weights, self.label_smoothing, self.focal = class_weights, label_smoothing, focal
