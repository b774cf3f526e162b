"""Loudness at random while training."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from seqpipe.core.options import InputRate
from seqpipe.features.ranges import Probability, check_ranges
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation


class Gain(WaveformAugmentation):
    """Scale an utterance by a drawn gain.

    Args:
        sample_rate: of the samples, in hertz.
        db: lowest and highest gain, in decibel; drawn uniformly.
        probability: that an utterance is scaled at all.

    Shape: ``[S]`` -> ``[S]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        db: tuple[float, float] = (-10.0, 6.0),
        probability: Probability = 1.0,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        check_ranges("Gain", db=db)
        self.db = db

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]``, scaled."""
        return samples * float(10 ** (generator.uniform(*self.db) / 20))
