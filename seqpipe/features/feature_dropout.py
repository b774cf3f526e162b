"""Dropout on features: on embeddings, above all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputSize
from seqpipe.core.sequence import PaddedSequence
from seqpipe.layers.dropout import DropoutKind, dropout


class FeatureDropout(Feature):
    """Hide features while training.

    Args:
        input_size: D, features of a step.
        probability: 0 to below 1.
        kind: ``steps`` hides whole steps, as dropout on embeddings does with tokens (Gal & Ghahramani 2016);
            ``variational`` a feature of a row at all steps; ``elements`` each value by itself.

    Shape: ``[B, T, D]`` -> ``[B, T, D]``; in evaluation nothing changes.
    """

    augments = True
    stepwise = True

    def __init__(
        self,
        *,
        input_size: InputSize,
        probability: Annotated[float, Field(ge=0, lt=1)] = 0.1,
        kind: DropoutKind = "steps",
    ) -> None:
        super().__init__()
        self.probability, self.kind = probability, kind
        self.output_size = input_size

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Hide, if training."""
        return PaddedSequence(dropout(sequence.values, self.probability, self.training, self.kind), sequence.lengths)
