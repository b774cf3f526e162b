"""Fundamental frequency."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.sequence import PaddedSequence
from seqpipe.errors import ConfigError
from seqpipe.features.speech.spectrum import CentredFrames


class Pitch(CentredFrames, Feature):
    """Fundamental frequency by librosa, in octaves above ``low_hertz``. Slow (row by row on the CPU).

    Args:
        sample_rate: of the incoming samples, in hertz.
        method: ``yin`` (de Cheveigné & Kawahara 2002) gives one feature; ``pyin`` (Mauch & Dixon 2014) two: the pitch,
            0 where unvoiced, and the probability of voicing; it is far slower.
        low_hertz: lowest pitch looked for.
        high_hertz: highest pitch looked for.
        window_seconds: length of a frame; at least two periods of ``low_hertz``.
        hop_seconds: from one frame to the next.

    Shape: ``[B, S]`` -> ``[B, 1 + S // hop, 1 or 2]``.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        method: Literal["yin", "pyin"] = "yin",
        low_hertz: Annotated[float, Field(gt=0)] = 65.0,
        high_hertz: Annotated[float, Field(gt=0)] = 500.0,
        window_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.064,
        hop_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.01,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.method = method
        self.low_hertz, self.high_hertz = low_hertz, high_hertz
        self.frame_length = 2 * round(window_seconds * sample_rate / 2)  # even, as frame_counts takes it to be
        self.hop_length = round(hop_seconds * sample_rate)
        self.frame_rate = sample_rate / self.hop_length
        self.output_size = 1 if method == "yin" else 2
        if not low_hertz < high_hertz <= sample_rate / 2 or self.frame_length < 2 * sample_rate / low_hertz:
            raise ConfigError(
                f"Pitch: needs low_hertz < high_hertz <= {sample_rate / 2:g} and a window of two periods of low_hertz "
                f"({2 / low_hertz:.3f} s); received {low_hertz:g}, {high_hertz:g}, {window_seconds:g} s"
            )

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Track every row."""
        device = sequence.values.device
        rows = [self._track(row.cpu().numpy()) for row in sequence.rows()]
        return PaddedSequence.pad([torch.from_numpy(row) for row in rows]).to(device)

    def _track(self, samples: np.ndarray) -> np.ndarray:
        import librosa

        settings = {
            "fmin": self.low_hertz,
            "fmax": self.high_hertz,
            "sr": self.sample_rate,
            "frame_length": self.frame_length,
            "hop_length": self.hop_length,
        }
        if self.method == "yin":
            pitch = librosa.yin(samples, **settings)
            features = [np.log2(pitch / self.low_hertz)]
        else:
            pitch, _, voiced = librosa.pyin(samples, fill_na=self.low_hertz, **settings)
            features = [np.log2(pitch / self.low_hertz), voiced]
        return np.stack(features, axis=1).astype(np.float32)
