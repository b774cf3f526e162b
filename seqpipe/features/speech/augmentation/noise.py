"""Additive noise at a drawn signal-to-noise ratio while training."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seqpipe.core.options import InputRate
from seqpipe.errors import ConfigError
from seqpipe.features.ranges import Probability
from seqpipe.features.speech.augmentation.waveform_augmentation import WaveformAugmentation
from seqpipe.features.speech.waveform import Waveform


class AddNoise(WaveformAugmentation):
    """Add noise to an utterance: recorded, or Gaussian with a drawn spectral slope.

    Args:
        sample_rate: of the samples, in hertz.
        snr_db: lowest and highest signal-to-noise ratio, in decibel; drawn uniformly.
        probability: that an utterance gets noise at all.
        slope: range of the exponent a of the noise power 1/f^a: 0 is white, 1 pink, 2 brown. Not used with ``folder``.
        folder: of noise recordings (wav, flac, ogg); a stretch of one of them is drawn.

    Shape: ``[S]`` -> ``[S]``; in evaluation nothing changes.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        snr_db: tuple[float, float] = (10.0, 30.0),
        probability: Probability = 0.5,
        slope: tuple[float, float] = (0.0, 2.0),
        folder: Path | None = None,
    ) -> None:
        super().__init__(sample_rate=sample_rate, probability=probability)
        if snr_db[0] > snr_db[1] or slope[0] > slope[1]:
            raise ConfigError(f"AddNoise: ranges go from low to high; received snr_db {snr_db}, slope {slope}")
        self.snr_db, self.slope, self.folder = snr_db, slope, folder

    def changed(self, samples: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples ``[S]`` with noise."""
        snr = generator.uniform(*self.snr_db)
        noise = (self._recorded if self.folder else self._gaussian)(len(samples), generator)
        signal_power = float(samples.square().mean())
        noise_power = max(float(noise.square().mean()), 1e-12)
        return samples + noise * (signal_power / noise_power / 10 ** (snr / 10)) ** 0.5

    def _gaussian(self, length: int, generator: np.random.Generator) -> Tensor:
        slope = generator.uniform(*self.slope)
        # A power of two is by far the fastest transform; the surplus is cut off.
        spectrum = np.fft.rfft(generator.standard_normal(1 << max(1, (length - 1).bit_length()), dtype=np.float32))
        frequency = np.arange(len(spectrum), dtype=np.float32)
        frequency[0] = 1.0
        return torch.from_numpy(np.fft.irfft(spectrum * frequency ** (-slope / 2))[:length].astype(np.float32))

    def _recorded(self, length: int, generator: np.random.Generator) -> Tensor:
        files = _noise_files(self.folder) if self.folder else []
        path = files[int(generator.integers(len(files)))]
        noise = Waveform(sample_rate=self.sample_rate).prepare(path, None)
        repeats = -(-length // len(noise))
        noise = noise.repeat(repeats)
        start = int(generator.integers(len(noise) - length + 1))
        return noise[start : start + length]


@functools.cache  # a folder is listed once, not at every draw
def _noise_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".wav", ".flac", ".ogg"))
    if not files:
        raise ConfigError(f"AddNoise.folder: {folder} holds no .wav, .flac or .ogg recordings of noise")
    return files
