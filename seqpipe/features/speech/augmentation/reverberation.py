"""Rooms at random while training."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from seqpipe.core.options import InputRate
from seqpipe.errors import ConfigError
from seqpipe.features.ranges import Probability
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation

Seconds = Annotated[float, Field(ge=0.01, le=10)]


class Reverberation(WaveformAugmentation):
    """Let an utterance sound in a drawn room.

    The room's impulse response is the direct sound and, after it, white noise that decays exponentially (Polack 1988):
    by 60 dB in the reverberation time. What sounds on after the end of the utterance is cut off.

    Args:
        sample_rate: of the samples, in hertz.
        rt60_seconds: lowest and highest reverberation time; drawn uniformly.
        direct_db: lowest and highest ratio of the direct sound's energy to that of the reverberation, in decibel; drawn
            uniformly.
        delay_seconds: from the direct sound to the first reflections.
        probability: that an utterance is put into a room at all.

    Shape: ``[S]`` -> ``[S]``, at the same mean power; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        rt60_seconds: tuple[Seconds, Seconds] = (0.1, 0.6),
        direct_db: tuple[float, float] = (0.0, 15.0),
        delay_seconds: Annotated[float, Field(ge=0, le=0.1)] = 0.003,
        probability: Probability = 0.3,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        if rt60_seconds[0] > rt60_seconds[1] or direct_db[0] > direct_db[1]:
            raise ConfigError(
                "Reverberation: ranges go from low to high; "
                f"received rt60_seconds {rt60_seconds}, direct_db {direct_db}"
            )
        self.rt60_seconds, self.direct_db = rt60_seconds, direct_db
        self.delay = max(1, round(delay_seconds * sample_rate))

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]`` in a drawn room."""
        wet = torch.from_numpy(convolve(samples.numpy(), self.response(generator)))
        power = max(float(wet.square().mean()), 1e-12)
        return wet * (float(samples.square().mean()) / power) ** 0.5

    def response(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """A drawn room's impulse response ``[N]``; the direct sound is its first sample, 1."""
        rt60, ratio = generator.uniform(*self.rt60_seconds), generator.uniform(*self.direct_db)
        late = generator.standard_normal(max(1, round(rt60 * self.sample_rate)), dtype=np.float32)
        late *= 10.0 ** (-3.0 * np.arange(len(late), dtype=np.float32) / len(late))
        late *= np.float32((10 ** (-ratio / 10) / float(np.square(late, dtype=np.float64).sum())) ** 0.5)
        return np.concatenate([[1.0], np.zeros(self.delay - 1), late]).astype(np.float32)


def convolve(samples: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """``[S]`` through an impulse response, as long as it was, by FFT."""
    from scipy.signal import fftconvolve

    result: NDArray[np.float32] = fftconvolve(samples, response)[: len(samples)].astype(np.float32)
    return result
