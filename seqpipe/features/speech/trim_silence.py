"""Silence at the ends of recordings, taken off."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Feature
from seqpipe.core.options import InputRate
from seqpipe.core.sequence import PaddedSequence


class TrimSilence(Feature):
    """Cut off what is quiet at both ends (``librosa.effects.trim``, each row by itself).

    Args:
        sample_rate: of the samples, in hertz.
        top_db: how far below the row's loudest frame counts as silence, in decibel.
        window_seconds: frames over which loudness is measured.
        hop_seconds: from one such frame to the next.

    Shape: ``[B, S]`` -> ``[B, S']``, S' at most S and never 0. Times in predictions stay those of the whole recording.
    """

    def __init__(
        self,
        *,
        sample_rate: InputRate,
        top_db: Annotated[float, Field(gt=0)] = 40.0,
        window_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.064,
        hop_seconds: Annotated[float, Field(ge=0.001, le=1)] = 0.016,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.top_db = top_db
        self.window_length = round(window_seconds * sample_rate)
        self.hop_length = round(hop_seconds * sample_rate)
        self.output_size = 1

    def kept(self, samples: Tensor) -> tuple[int, int]:
        """First sample kept of ``[S]``, and the first one after them."""
        from librosa.effects import trim

        _, (start, stop) = trim(
            samples.cpu().numpy(), top_db=self.top_db, frame_length=self.window_length, hop_length=self.hop_length
        )
        return int(start), int(stop)

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Samples after trimming -> samples of the whole recording."""
        return steps + self.kept(prepared)[0]

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Trim every row."""
        rows = []
        for row in sequence.rows():
            start, stop = self.kept(row)
            rows.append(row[start:stop])
        lengths = torch.tensor([len(row) for row in rows], device=sequence.lengths.device)
        return PaddedSequence(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)
