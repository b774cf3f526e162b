"""Silence around recordings at random while training."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.features.ranges import Probability, check_ranges
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation

Seconds = Annotated[float, Field(ge=0, le=10)]


class AddSilence(WaveformAugmentation):
    """Put silence before and behind an utterance, as less tightly cut recordings have it.

    `Reverberation` and `AddNoise` after it fill the silence. Without it, a model of tightly cut recordings takes the
    breath behind a word for a further one.

    Args:
        sample_rate: of the samples, in hertz.
        seconds: lowest and highest length; drawn uniformly for either end.
        probability: that an utterance gets silence at all.

    Shape: ``[S]`` -> ``[S']``, S' at least S; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        seconds: tuple[Seconds, Seconds] = (0.0, 0.3),
        probability: Probability = 0.5,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        check_ranges("AddSilence", seconds=seconds)
        self.seconds = seconds

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]`` between silences."""
        return F.pad(samples, self._around(generator))

    def augmented_length(self, length: int, key: RowKey) -> int:
        """Samples that this key makes of them."""
        generator = key.chance(self.probability)
        return length if generator is None else length + sum(self._around(generator))

    def _around(self, generator: np.random.Generator) -> tuple[int, int]:
        before, after = generator.uniform(*self.seconds, size=2)
        return round(before * self.sample_rate), round(after * self.sample_rate)
