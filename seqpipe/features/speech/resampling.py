"""Changing the rate of samples: by a Hann-windowed sinc, whatever the ratio."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.features.speech.torchaudio_import import torchaudio_functional

ZEROS = 6  # crossings of the sinc on each side, as in torchaudio
ROLLOFF = 0.99  # the cut-off, as a share of the lower of the two Nyquist frequencies


LARGEST_KERNEL = 1_000_000
"""Product of two rates without their common factor up to which a weight is kept for every pair of places."""
BLOCK = 1 << 20
"""Weights that are computed at once where they aren't kept."""


def resampled_length(length: int, rate: int, new_rate: int) -> int:
    """Samples that ``length`` of them at ``rate`` become: ceil(length · new_rate / rate)."""
    return length if rate == new_rate else -(-length * new_rate // rate)


def resample(samples: Tensor, rate: int, new_rate: int) -> Tensor:
    """``[S]`` at ``rate`` hertz -> ``[ceil(S · new_rate / rate)]`` at ``new_rate``.

    By interpolation with a Hann-windowed sinc, as ``torchaudio.functional.resample`` does it, which does it too where
    the ratio is one of small numbers. It keeps as many weights as the product of the two, which of 7,999 and 16,000 Hz
    takes gigabytes; then each output's weights are computed for it, in time and memory that go with its own number.
    """
    if rate == new_rate:
        return samples
    divisor = math.gcd(rate, new_rate)
    if (rate // divisor) * (new_rate // divisor) > LARGEST_KERNEL:
        return interpolate(samples, rate, new_rate)
    resampled: Tensor = torchaudio_functional().resample(samples, rate, new_rate)
    # torchaudio rounds the length in fp32, which is a sample short in recordings of minutes.
    return F.pad(resampled, (0, resampled_length(len(samples), rate, new_rate) - len(resampled)))


def interpolate(samples: Tensor, rate: int, new_rate: int) -> Tensor:
    """The same as `resample`, by weights that are computed anew for each of the outputs; for any ratio."""
    width, cutoff = _width(rate, new_rate), min(rate, new_rate) * ROLLOFF
    taps = torch.arange(-width, width + 1)
    padded = F.pad(samples, (width, width + 1))
    parts = []
    step = max(1, BLOCK // len(taps))
    length = resampled_length(len(samples), rate, new_rate)
    for at in range(0, length, step):
        place = torch.arange(at, min(at + step, length)) * rate  # in shares of an input sample; exact
        before, between = place // new_rate, (place % new_rate).double() / new_rate
        weights = _weights((taps - between[:, None]) / rate, rate, cutoff).to(samples.dtype)
        parts.append((padded[before[:, None] + taps + width] * weights).sum(dim=1))
    return torch.cat(parts)


def _width(rate: int, new_rate: int) -> int:
    """Inputs on each side that an output is made of."""
    return math.ceil(ZEROS * rate / (min(rate, new_rate) * ROLLOFF))


def _weights(seconds: Tensor, rate: int, cutoff: float) -> Tensor:
    """Of inputs so far from an output, in float64."""
    time = (seconds * cutoff).clamp(-ZEROS, ZEROS)
    return torch.sinc(time) * torch.cos(time * math.pi / ZEROS / 2).square() * (cutoff / rate)


def resample_by_ratio(samples: Tensor, rate: int, new_rate: int) -> Tensor:
    """``[S]`` at ``rate`` -> ``[ceil(S · new_rate / rate)]``, by interpolation with a Hann-windowed sinc.

    The filter and the result are those of ``torchaudio.functional.resample`` (Smith, "Digital audio resampling"), in a
    fifth of its time: one product of overlapping frames with a matrix that is kept from call to call. The matrix has
    about ``rate · new_rate`` entries after division by their common factor, so this is for small numbers such as 93
    and 100.
    """
    divisor = math.gcd(rate, new_rate)
    rate, new_rate = rate // divisor, new_rate // divisor
    if rate == new_rate:
        return samples
    matrix, width = _kernel(rate, new_rate)
    length = -(-len(samples) * new_rate // rate)
    padded = F.pad(samples, (width, width + rate))
    frames = padded.unfold(0, len(matrix), rate)  # [N, taps], one of every `rate` samples
    return (frames @ matrix).flatten()[:length]


@lru_cache(maxsize=64)
def _kernel(rate: int, new_rate: int) -> tuple[Tensor, int]:
    """``[taps, new_rate]``: a column for each place of an output between two inputs; and the taps before the first."""
    width = _width(rate, new_rate)
    taps = torch.arange(-width, width + rate, dtype=torch.float64)[:, None] / rate
    places = torch.arange(new_rate, dtype=torch.float64)[None, :] / new_rate
    return _weights(taps - places, rate, min(rate, new_rate) * ROLLOFF).float(), width
