"""What augmentations of waveforms share: which rows are drawn, and each row's own randomness."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.randomness import RowKey
from seqpipe.features.ranges import Probability


class WaveformAugmentation(Feature, register=False):
    """Samples ``[S]``, changed while training with a probability; in evaluation nothing changes.

    Args:
        sample_rate: of the samples, in hertz.
        probability: that an utterance is changed at all.
    """

    augments = True
    output_size = 1

    def __init__(self, *, sample_rate: InputRate, probability: Probability) -> None:
        super().__init__()
        self.sample_rate, self.probability = sample_rate, probability

    def prepare(self, raw: Tensor, key: RowKey | None) -> Tensor:
        """Samples ``[S]``, changed if they are drawn."""
        generator = key.chance(self.probability) if key is not None else None
        return raw if generator is None else self.changed(raw, generator)

    @abstractmethod
    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]`` of a row that is drawn."""
