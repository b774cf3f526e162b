"""Recordings in: files of any format, rate and number of channels become mono samples at one rate."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from seqpipe.core.feature import Reader
from seqpipe.core.input import Segment
from seqpipe.core.onnx_graph import Form
from seqpipe.core.picture import Picture, Sound
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.source import Source
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.features.speech.channels import Channels
from seqpipe.features.speech.recordings import Recordings, origin_of

PAUSE_DECIBEL = (15.0, 60.0)
"""Least and greatest level of noise in a pause, below the mean one of the recording before: from that of a noisy room
to what is hardly above the steps of 16 bit."""


class Waveform(Reader):
    """Read audio files (wav, flac, ogg, mp3, whatever libsndfile knows), make one channel of several, and resample.

    Args:
        sample_rate: of the outgoing samples, in hertz.
        channels: what becomes of several: ``mix``, their mean, or the loudest one where they cancel (`to_mono`);
            ``first``; ``loudest``; ``each``, so that batch inference answers every channel by itself, as ``ID#1``,
            ``ID#2``. A `FileSpan` that names a channel is that channel, whatever stands here.

    Shape: in batches ``[B, S]`` -> ``[B, S]``. An input is a path, a `FileSpan`, the bytes of a file, or a mapping
    with ``array`` (``[S]`` or ``[S, channels]``, in -1 to 1) and ``sampling_rate``; with ``start`` too if the array was
    cut out of something longer, in seconds from its beginning.
    """

    suffixes = AUDIO_SUFFIXES
    usual_pause: ClassVar[tuple[float, float]] = (0.1, 0.6)

    def __init__(
        self, *, sample_rate: Annotated[int, Field(ge=1000, le=384_000)] = 16_000, channels: Channels = "mix"
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.recordings = Recordings(sample_rate, channels)
        self.measure = self.recordings.measure
        self.output_size = 1

    @property
    def channels(self) -> Channels:
        """What becomes of several."""
        return self.recordings.channels

    @channels.setter
    def channels(self, channels: Channels) -> None:
        self.recordings.channels = channels

    def prepare(self, raw: Any, key: RowKey | None) -> Tensor:
        """Samples ``[S]``, float32; raises `InputError` as `Recordings.prepare` does."""
        return torch.from_numpy(self.recordings.prepare(raw))

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """With ``channels: each``, the channels of a recording that has several; see `Reader.unbind`."""
        return self.recordings.unbind(raw)

    def opened(self) -> AbstractContextManager[None]:
        """While this lasts, what is read several times in a row by a thread is opened once."""
        return self.recordings.opened()

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """A long recording in segments, cut where it is quietest; see `Recordings.split`."""
        return self.recordings.split(raw, max_length)

    def length(self, raw: Any) -> int:
        """How many samples `prepare` will give, from the file's header alone."""
        return self.recordings.length(raw)

    def warnings(self, raw: Any, prepared: Tensor) -> list[tuple[str, str]]:
        """See `Recordings.warnings`."""
        return self.recordings.warnings(raw, prepared.numpy())

    def source(self, raw: Any) -> Source:
        """Places are seconds from the beginning of the file."""
        return self.recordings.source(raw)

    def locate(self, prepared: Tensor, steps: Tensor) -> Tensor:
        """Samples -> seconds from the beginning of the input."""
        return steps / self.sample_rate

    def onnx_input(self) -> Form:
        """Samples."""
        return Form("float32", ("rows", "samples"))

    def pause(self, length: int, before: Tensor, generator: np.random.Generator) -> Tensor:
        """Silence ``[length]``: zeros, or as often white noise, fainter than the recording before (`PAUSE_DECIBEL`)."""
        if generator.random() < 0.5:
            return before.new_zeros(length)
        level = float(before.square().mean().sqrt()) * 10 ** (-generator.uniform(*PAUSE_DECIBEL) / 20)
        return torch.from_numpy(level * generator.standard_normal(length, dtype=np.float32))

    def preview(self, raw: Any) -> Picture:
        """Log-mel spectrogram of the recording, the uppermost 80 dB of it."""
        return self._spectrogram(self.prepare(raw, None), origin_of(raw))

    def preview_of(self, values: Tensor) -> Picture | None:
        """The spectrogram of samples ``[S]``; of features ``[T, D]`` these, from the lowest to the highest."""
        if values.ndim == 1:
            return self._spectrogram(values, 0.0)
        low, high = values.min(), values.max()
        shown = (values - low) / (high - low).clamp(min=1e-9)
        return Picture(shown.T.flip(0).numpy(), 0.0, float(len(values)), "steps", "features")

    def _spectrogram(self, samples: Tensor, start: float) -> Picture:
        from seqpipe.features.speech.log_mel import LogMel

        # A band for every 160 Hz: more would be narrower than what 25 ms can resolve.
        bands = max(8, min(48, self.sample_rate // 160))
        power = LogMel(sample_rate=self.sample_rate, n_mels=bands, floor=1e-10)
        frames = power(PaddedSequence.pad([samples])).values[0]  # [T, F]
        decibel = 10 / math.log(10) * (frames - frames.max())
        return Picture(
            values=(1 + decibel / 80).clamp(min=0).T.flip(0).numpy(),
            start=start,
            end=start + len(frames) * power.hop_length / self.sample_rate,
            unit="s",
            height=f"0 to {self.sample_rate / 2000:g} kHz (mel)",
        )

    def sound(self, raw: Any) -> Sound:
        """The recording as the features hear it: mono, at `sample_rate`."""
        return Sound(self.recordings.prepare(raw), self.sample_rate)
