"""Tempo of waveforms at random while training."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor

from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.features.ranges import Probability, check_ranges
from seqpipe.features.speech.augmentation.time_scale import time_scaled
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation

Factor = Annotated[float, Field(ge=0.5, le=2)]


class TempoPerturbation(WaveformAugmentation):
    """Say an utterance faster or slower, at the same pitch and with the same voice.

    `SpeedPerturbation` moves tempo, pitch and formants together; this one moves the tempo alone.

    Args:
        sample_rate: of the samples, in hertz.
        factors: lowest and highest tempo; 1.1 is 10 % faster. Drawn uniformly.
        probability: that an utterance is changed at all.

    Shape: ``[S]`` -> ``[ceil(S / factor)]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        factors: tuple[Factor, Factor] = (0.85, 1.2),
        probability: Probability = 0.5,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        check_ranges("TempoPerturbation", factors=factors)
        self.factors = factors

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]`` at a drawn tempo."""
        return time_scaled(samples, _length(len(samples), generator.uniform(*self.factors)), self.sample_rate)

    def augmented_length(self, length: int, key: RowKey) -> int:
        """Samples that this key leaves."""
        generator = key.chance(self.probability)
        return length if generator is None else _length(length, generator.uniform(*self.factors))

    def min_length(self, length: int) -> int:
        """Samples at the fastest tempo."""
        return min(length, _length(length, self.factors[1])) if self.probability else length


def _length(length: int, factor: float) -> int:
    return -(-length * 1000 // round(1000 * factor))
