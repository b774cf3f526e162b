"""Pitch of waveforms at random while training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.speech.augmentation.resampling import resample_by_ratio
from seqpipe.features.speech.augmentation.time_scale import time_scaled

Semitones = Annotated[float, Field(ge=-12, le=12)]


class PitchShift(Feature):
    """Raise or lower the voice by a drawn interval, formants with it, at the same length.

    The utterance is stretched (`time_scaled`) and then played faster by as much, or the other way round.

    Args:
        sample_rate: of the samples, in hertz.
        semitones: lowest and highest shift; 12 are an octave. Drawn uniformly; the ratio is rounded to hundredths.
        probability: that an utterance is shifted at all.

    Shape: ``[S]`` -> ``[S]``; in evaluation nothing changes.
    """

    augments = True

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        semitones: tuple[Semitones, Semitones] = (-2.0, 2.0),
        probability: Annotated[float, Field(ge=0, le=1)] = 0.5,
    ) -> None:
        super().__init__()
        if semitones[0] > semitones[1]:
            raise ConfigError(f"PitchShift.semitones: goes from low to high; received {semitones}")
        self.sample_rate = sample_rate
        self.semitones, self.probability = semitones, probability
        self.output_size = 1

    def prepare(self, raw: Tensor, key: RowKey | None) -> Tensor:
        """Samples ``[S]`` at a drawn pitch."""
        percent = 100 if key is None else self._percent(key)
        if percent == 100:
            return raw
        length = len(raw)
        stretched = time_scaled(raw, -(-length * percent // 100), self.sample_rate)
        shifted = resample_by_ratio(stretched, percent, 100)
        return F.pad(shifted, (0, max(0, length - len(shifted))))[:length]

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Nothing is left to do in a batch."""
        return sequence

    def _percent(self, key: RowKey) -> int:
        generator = key.chance(self.probability)
        if generator is None:
            return 100
        return round(100 * 2 ** (generator.uniform(*self.semitones) / 12))
