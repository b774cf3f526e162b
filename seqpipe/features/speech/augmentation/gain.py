"""Loudness at random while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError


class Gain(Feature):
    """Scale an utterance by a drawn gain.

    Args:
        sample_rate: of the samples, in hertz.
        db: lowest and highest gain, in decibel; drawn uniformly.
        probability: that an utterance is scaled at all.

    Shape: ``[S]`` -> ``[S]``; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        db: tuple[float, float] = (-10.0, 6.0),
        probability: Annotated[float, Field(ge=0, le=1)] = 1.0,
    ) -> None:
        super().__init__()
        if db[0] > db[1]:
            raise ConfigError(f"Gain.db: goes from low to high; received {db}")
        self.sample_rate = sample_rate
        self.db, self.probability = db, probability
        self.output_size = 1

    def prepare(self, raw: Tensor, key: RowKey | None) -> Tensor:
        """Samples ``[S]``, scaled."""
        generator = key.chance(self.probability) if key is not None else None
        if generator is None:
            return raw
        return raw * float(10 ** (generator.uniform(*self.db) / 20))

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Nothing is left to do in a batch."""
        return sequence
