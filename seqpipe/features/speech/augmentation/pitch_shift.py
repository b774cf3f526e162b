"""Pitch of waveforms at random while training."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.options import InputRate
from seqpipe.features.ranges import Probability, check_ranges
from seqpipe.features.speech.augmentation.time_scale import time_scaled
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation
from seqpipe.features.speech.resampling import resample_by_ratio

Semitones = Annotated[float, Field(ge=-12, le=12)]


class PitchShift(WaveformAugmentation):
    """Raise or lower the voice by a drawn interval, formants with it, at the same length.

    The utterance is stretched (`time_scaled`) and then played faster by as much, or the other way round.

    Args:
        sample_rate: of the samples, in hertz.
        semitones: lowest and highest shift; 12 are an octave. Drawn uniformly; the ratio is rounded to hundredths.
        probability: that an utterance is shifted at all.

    Shape: ``[S]`` -> ``[S]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        semitones: tuple[Semitones, Semitones] = (-2.0, 2.0),
        probability: Probability = 0.5,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        check_ranges("PitchShift", semitones=semitones)
        self.semitones = semitones

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]`` at a drawn pitch."""
        percent = round(100 * 2 ** (generator.uniform(*self.semitones) / 12))
        if percent == 100:
            return samples
        length = len(samples)
        stretched = time_scaled(samples, -(-length * percent // 100), self.sample_rate)
        shifted = resample_by_ratio(stretched, percent, 100)
        return F.pad(shifted, (0, max(0, length - len(shifted))))[:length]
