"""Another microphone and channel at random while training."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from seqpipe.core.options import InputRate
from seqpipe.features.ranges import Probability, check_ranges
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation

REACH = 0.25  # seconds, after which the response of the narrowest band has died away
LOWEST = 60.0  # hertz, where the first band of the equaliser stands; nothing of speech is below


class Equalization(WaveformAugmentation):
    """Colour an utterance by a drawn channel: a spectral tilt and a smooth equaliser, as other microphones would.

    Args:
        sample_rate: of the samples, in hertz.
        tilt_db: lowest and highest slope of the spectrum, in decibel an octave, around 0 dB at 1 kHz; drawn uniformly.
        band_db: standard deviation of the gain of each band of the equaliser, in decibel; between bands (evenly spaced
            in octaves from 60 Hz to half the sample rate) the gain follows a straight line.
        bands: of the equaliser.
        probability: that an utterance is coloured at all.

    Shape: ``[S]`` -> ``[S]``, at the same mean power; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        tilt_db: tuple[float, float] = (-3.0, 3.0),
        band_db: Annotated[float, Field(ge=0, le=30)] = 3.0,
        bands: Annotated[int, Field(ge=2, le=64)] = 8,
        probability: Probability = 0.5,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        check_ranges("Equalization", tilt_db=tilt_db)
        self.tilt_db, self.band_db, self.bands = tilt_db, band_db, bands

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]``, filtered with a drawn gain and no change of phase."""
        from scipy import fft

        length = len(samples)
        # A filter without phase reaches to both sides; the zeros keep the end from coming round to the start.
        size = fft.next_fast_len(length + round(REACH * self.sample_rate), real=True)
        gains = self._gains(np.fft.rfftfreq(size, 1 / self.sample_rate), generator).astype(np.float32)
        filtered = torch.from_numpy(fft.irfft(fft.rfft(samples.numpy(), size) * gains, size)[:length])
        power = max(float(filtered.square().mean()), 1e-12)
        return filtered * (float(samples.square().mean()) / power) ** 0.5

    def _gains(self, hertz: NDArray[np.floating[Any]], generator: np.random.Generator) -> NDArray[np.float64]:
        """Amplitude gains at the frequencies."""
        octaves = np.log2(np.maximum(hertz, LOWEST) / 1000)
        places = np.linspace(octaves[0], octaves[-1], self.bands)
        tilt = generator.uniform(*self.tilt_db)
        decibel = np.interp(octaves, places, self.band_db * generator.standard_normal(self.bands)) + tilt * octaves
        gains: NDArray[np.float64] = 10 ** (decibel / 20)
        return gains
