"""Recordings as samples of one rate, without torch: what `Waveform` prepares, and runtimes without it too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import FileSpan, Segment
from seqpipe.core.measure import seconds
from seqpipe.core.source import Source
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.errors import InputError
from seqpipe.features.speech.audio_file import (
    array_of,
    as_span,
    blocks,
    bytes_of,
    frames_of,
    keeping_open,
    name_of,
    opened,
    read_samples,
)
from seqpipe.features.speech.channels import Channels, to_mono
from seqpipe.features.speech.cutting import measure_levels, overlap_of, samples_per_block, share_out
from seqpipe.features.speech.sinc import resample, resampled_length
from seqpipe.features.speech.truncation import lacks_end

SILENCE = 2.0**-14
"""Between the lowest and the highest sample of a recording in which nothing is heard: two steps of 16 bit."""
FULL_SCALE = 1 - 2.0**-15
"""The highest sample of 16 bit."""
MAX_SAMPLE = 2.0**32
"""Twice the full scale of 32 bits written as numbers: the power of what is beyond is soon infinite in fp32."""
CLIPPED_SHARE = 0.001
"""Of the samples: in speech that was recorded well a few in a hundred thousand are at full scale."""


class Recordings:
    """Read recordings, make one channel of several, and resample; see `seqpipe.features.speech.waveform.Waveform`.

    Args:
        sample_rate: of the outgoing samples, in hertz.
        channels: what becomes of several.
    """

    suffixes = AUDIO_SUFFIXES

    def __init__(self, sample_rate: int, channels: Channels = "mix") -> None:
        self.sample_rate = sample_rate
        self.channels: Channels = channels
        self.measure = seconds(sample_rate)

    @property
    def unbinds(self) -> bool:
        """Whether channels are answered by themselves."""
        return self.channels == "each"

    def source(self, raw: Any) -> Source:
        """Places are seconds from the beginning of the file."""
        return Source(origin=origin_of(raw))

    def locate(self, prepared: NDArray[Any], steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Samples -> seconds from the beginning of the input."""
        return steps / self.sample_rate

    def prepare(self, raw: Any) -> NDArray[np.float32]:
        """Samples ``[S]``.

        Raises:
            InputError: the file is missing, no audio, empty, holds values that are no finite numbers or far beyond any
                scale of samples (`MAX_SAMPLE`), has a rate outside of `MIN_RATE` to `MAX_RATE`, or several channels
                that are to be kept apart.
        """
        samples, rate = read_samples(raw)
        name = name_of(raw)
        if len(samples) == 0:
            raise InputError("empty", f"{name}: holds no samples")
        check_samples(samples, rate, name)
        return resample(np.ascontiguousarray(to_mono(samples, self.channels, name)), rate, self.sample_rate)

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """With ``channels: each``, the channels of a recording that has several; see `Reader.unbind`."""
        if self.channels != "each":
            return None
        if isinstance(raw, dict):
            samples, _ = array_of(raw)
            count = samples.shape[1] if samples.ndim == 2 else 1
            parts = [{**raw, "array": samples[:, at]} for at in range(count)] if count > 1 else []
            return [(f"#{number}", part) for number, part in enumerate(parts, 1)] or None
        span = as_span(raw)
        if span.channel is not None:
            return None
        with opened(span) as file:
            count = file.channels
        if count == 1:
            return None
        return [(f"#{number}", replace(span, channel=number)) for number in range(1, count + 1)]

    def opened(self) -> AbstractContextManager[None]:
        """While this lasts, what is read several times in a row by a thread is opened once."""
        return keeping_open()

    def split(self, raw: Any, max_length: float) -> list[Segment] | None:
        """A long recording in segments, cut where it is quietest; None if it isn't longer than ``max_length``.

        Whether it is long is read from the header. If so, it is read once from end to end, block by block: 1.5 MB are
        kept of an hour.

        Args:
            raw: as `prepare` reads it.
            max_length: seconds that a segment may have with its overlap, at least 1.

        Returns:
            Segments in their order, each to be read as a span of the same file or a view of the same array.

        Raises:
            ConfigError: ``max_length`` is below 1.
            InputError: as `prepare` does for the whole: a recording that breaks off has no segments at all.
        """
        overlap = overlap_of(max_length)
        if isinstance(raw, dict):
            samples, rate = array_of(raw)
            start, stop = round(origin_of(raw) * rate), len(samples) + round(origin_of(raw) * rate)
            if stop - start <= max_length * rate:
                return None
            step = samples_per_block(rate)
            levels = self._levels((samples[at : at + step] for at in range(0, len(samples), step)), rate, name_of(raw))
        else:
            span = as_span(raw)
            with opened(span) as file:
                rate = file.samplerate
                start, stop = frames_of(span, rate, file.frames) if file.frames else (0, 0)
                if stop - start <= max_length * rate:
                    return None
                levels = self._levels(blocks(span, file, start, stop, samples_per_block(rate)), rate, name_of(raw))
        segments = []
        for share in share_out(levels, stop - start, rate, max_length=max_length, overlap=overlap):
            first, last = (start + share.heard_from) / rate, (start + share.heard_until) / rate
            part = (
                {**raw, "array": samples[share.heard_from : share.heard_until], "start": first}
                if isinstance(raw, dict)
                else replace(span, start=first, end=last)
            )
            segments.append(
                Segment(part, (start + share.start) / rate, (start + share.stop) / rate, share.overlap / rate)
            )
        return segments

    def length(self, raw: Any) -> int:
        """How many samples `prepare` will give, from the file's header alone."""
        if isinstance(raw, dict):
            samples, rate = read_samples(raw)
            return resampled_length(len(samples), rate, self.sample_rate)
        span = as_span(raw)
        with opened(span) as file:
            start, stop = frames_of(span, file.samplerate, file.frames)
            return resampled_length(stop - start, file.samplerate, self.sample_rate)

    def warnings(self, raw: Any, prepared: NDArray[Any]) -> list[tuple[str, str]]:
        """``silent``, ``clipped``, ``lower sample rate``, ``shorter than its span``, ``no end of stream``."""
        found = []
        low, high = float(prepared.min()), float(prepared.max())
        if high - low <= SILENCE:
            what = f"every sample is {low:g}" if high == low else f"its samples lie between {low:.2g} and {high:.2g}"
            found.append(("silent", f"{name_of(raw)}: {what}"))
        clipped = float((np.abs(prepared) >= FULL_SCALE).mean()) if max(high, -low) >= FULL_SCALE else 0.0
        if clipped > CLIPPED_SHARE:
            found.append(
                ("clipped", f"{name_of(raw)}: {100 * clipped:.3g} % of its samples are at full scale or beyond")
            )
        if isinstance(raw, dict):
            rate = int(raw["sampling_rate"])
        else:
            span = as_span(raw)
            with opened(span) as file:
                rate = file.samplerate
                length = file.frames / rate
            if span.end is not None and span.end > length + 0.05:  # ends are often rounded
                found.append(("shorter than its span", f"{span}: the file ends at {length:.2f} s"))
            with bytes_of(span.source) as content:
                if lacks_end(content):
                    found.append(("no end of stream", f"{span}: the Ogg stream breaks off; was the file cut?"))
        if rate < self.sample_rate:
            found.append(
                ("lower sample rate", f"{name_of(raw)}: {rate} Hz; the recipe's {self.sample_rate} Hz add empty bands")
            )
        return found

    def _levels(self, blocks: Iterable[NDArray[Any]], rate: int, name: str) -> NDArray[np.float64]:
        """The level of a recording that comes in blocks of `samples_per_block`."""
        size = samples_per_block(rate)

        def mono() -> Iterator[NDArray[Any]]:
            for number, block in enumerate(blocks):
                check_samples(block, rate, name, number * size)
                yield to_mono(block, self.channels, name)

        return measure_levels(mono(), rate)


def origin_of(raw: Any) -> float:
    """Seconds from the beginning of the file to the beginning of the input."""
    if isinstance(raw, dict):
        return float(raw.get("start", 0.0))
    return raw.start if isinstance(raw, FileSpan) else 0.0


def check_samples(samples: NDArray[Any], rate: int, name: str, first: int = 0) -> None:
    """Whether samples ``[S]`` or ``[S, C]`` are numbers that features can be made of.

    Args:
        samples, rate, name: of the recording.
        first: number of the first sample, for the message.

    Raises:
        InputError: one is no finite number (``non-finite``), or beyond `MAX_SAMPLE` (``out of range``).
    """
    largest = max(float(samples.max()), -float(samples.min()))
    if largest <= MAX_SAMPLE:
        return
    rows = samples.reshape(len(samples), -1)
    wrong = ~np.isfinite(rows)
    kind, what = "non-finite", "is not a finite number"
    if not wrong.any():
        wrong, kind = np.abs(rows) > MAX_SAMPLE, "out of range"
        what = f"is {largest:.3g}; samples lie between -1 and 1, or in whole numbers of up to 32 bits"
    bad = int(np.flatnonzero(wrong.any(axis=1))[0])
    raise InputError(kind, f"{name}: sample {first + bad} ({(first + bad) / rate:.3f} s) {what}")
