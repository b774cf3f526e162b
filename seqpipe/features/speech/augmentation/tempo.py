"""Tempo of waveforms at random while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.speech.augmentation.time_scale import time_scaled

Factor = Annotated[float, Field(ge=0.5, le=2)]


class TempoPerturbation(Feature):
    """Say an utterance faster or slower, at the same pitch and with the same voice.

    `SpeedPerturbation` moves tempo, pitch and formants together; this one moves the tempo alone.

    Args:
        sample_rate: of the samples, in hertz.
        factors: lowest and highest tempo; 1.1 is 10 % faster. Drawn uniformly.
        probability: that an utterance is changed at all.

    Shape: ``[S]`` -> ``[ceil(S / factor)]``; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        factors: tuple[Factor, Factor] = (0.85, 1.2),
        probability: Annotated[float, Field(ge=0, le=1)] = 0.5,
    ) -> None:
        super().__init__()
        if factors[0] > factors[1]:
            raise ConfigError(f"TempoPerturbation.factors: goes from low to high; received {factors}")
        self.sample_rate = sample_rate
        self.factors, self.probability = factors, probability
        self.output_size = 1

    def prepare(self, raw: Tensor, key: RowKey | None) -> Tensor:
        """Samples ``[S]`` at a drawn tempo."""
        return raw if key is None else time_scaled(raw, self.augmented_length(len(raw), key), self.sample_rate)

    def augmented_length(self, length: int, key: RowKey) -> int:
        """Samples that this key leaves."""
        generator = key.chance(self.probability)
        if generator is None:
            return length
        return _length(length, round(1000 * generator.uniform(*self.factors)))

    def min_length(self, length: int) -> int:
        """Samples at the fastest tempo."""
        return min(length, _length(length, round(1000 * self.factors[1]))) if self.probability else length

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Nothing is left to do in a batch."""
        return sequence


def _length(length: int, permille: int) -> int:
    return -(-length * 1000 // permille)
