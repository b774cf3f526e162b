"""Pitch classes."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.sequence import PaddedSequence
from seqpipe.features.speech.spectrum import CentredFrames


class Chroma(CentredFrames, Feature):
    """Energy of the twelve pitch classes (``librosa.feature.chroma_stft``, each row by itself). Row by row on the CPU.

    Args:
        sample_rate: of the incoming samples, in hertz.
        n_chroma: pitch classes of an octave.
        window_seconds: length of a frame.
        hop_seconds: from one frame to the next.

    Shape: ``[B, S]`` -> ``[B, 1 + S // hop, n_chroma]``, each frame's largest value 1.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        n_chroma: Annotated[int, Field(gt=0)] = 12,
        window_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.128,
        hop_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.01,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.n_chroma = n_chroma
        self.n_fft = 2 * round(window_seconds * sample_rate / 2)  # even, so that S samples give 1 + S // hop frames
        self.hop_length = round(hop_seconds * sample_rate)
        self.frame_rate = sample_rate / self.hop_length
        self.output_size = n_chroma

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Compute every row's chroma."""
        import librosa

        rows = []
        for row in sequence.rows():
            chroma: np.ndarray = librosa.feature.chroma_stft(
                y=row.cpu().numpy(),
                sr=self.sample_rate,
                n_fft=self.n_fft,
                hop_length=self.hop_length,
                n_chroma=self.n_chroma,
                pad_mode="constant",
                tuning=0.0,  # estimating it is slow, and unstable on speech
            )
            rows.append(torch.from_numpy(np.ascontiguousarray(chroma.T, dtype=np.float32)))
        return PaddedSequence.pad(rows).to(sequence.values.device)
