"""Changing the rate of samples by a Hann-windowed sinc, without torch."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ZEROS = 6  # crossings of the sinc on each side, as in torchaudio
ROLLOFF = 0.99  # the cut-off, as a share of the lower of the two Nyquist frequencies
LARGEST_KERNEL = 1_000_000
"""Product of two rates without their common factor up to which a weight is kept for every pair of places."""
BLOCK = 1 << 20
"""Weights that are computed at once where they aren't kept."""
BLOCK_FRAMES = 1 << 12
"""Frames that are copied and multiplied together."""


def resampled_length(length: int, rate: int, new_rate: int) -> int:
    """Samples that ``length`` of them at ``rate`` become: ceil(length · new_rate / rate)."""
    return length if rate == new_rate else -(-length * new_rate // rate)


def resample(samples: NDArray[Any], rate: int, new_rate: int) -> NDArray[Any]:
    """``[S]`` at ``rate`` hertz -> ``[ceil(S · new_rate / rate)]`` at ``new_rate``.

    By interpolation with a Hann-windowed sinc, the filter of ``torchaudio.functional.resample`` (Smith, "Digital audio
    resampling"): one product of overlapping frames with a matrix that is kept from call to call. Where the ratio isn't
    one of small numbers (7,999 and 16,000 Hz), the matrix would take gigabytes; then each output's weights are computed
    for it, in time and memory that go with its own number.
    """
    if rate == new_rate:
        return samples
    divisor = math.gcd(rate, new_rate)
    length = resampled_length(len(samples), rate, new_rate)
    rate, new_rate = rate // divisor, new_rate // divisor
    if rate * new_rate > LARGEST_KERNEL:
        return interpolate(samples, rate, new_rate)
    matrix, width = kernel(rate, new_rate)
    count = -(-length // new_rate)
    padded = np.zeros(max(len(samples) + width, (count - 1) * rate + len(matrix)), samples.dtype)
    padded[width : width + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(matrix))[::rate][:count]  # [N, taps]
    weights = matrix.astype(samples.dtype, copy=False)
    blocks = [frames[at : at + BLOCK_FRAMES] @ weights for at in range(0, count, BLOCK_FRAMES)]
    found: NDArray[Any] = np.concatenate(blocks).reshape(-1)[:length]
    return found


def interpolate(samples: NDArray[Any], rate: int, new_rate: int) -> NDArray[Any]:
    """The same as `resample`, by weights that are computed anew for each of the outputs; for any ratio."""
    width, cutoff = _width(rate, new_rate), min(rate, new_rate) * ROLLOFF
    taps = np.arange(-width, width + 1)
    padded = np.pad(samples, (width, width + 1))
    parts = []
    step = max(1, BLOCK // len(taps))
    length = resampled_length(len(samples), rate, new_rate)
    for at in range(0, length, step):
        place = np.arange(at, min(at + step, length)) * rate  # in shares of an input sample; exact
        before, between = place // new_rate, place % new_rate / new_rate
        weights = _weights((taps - between[:, None]) / rate, rate, cutoff).astype(samples.dtype)
        parts.append((padded[before[:, None] + taps + width] * weights).sum(axis=1))
    return np.concatenate(parts) if parts else samples[:0]


def _width(rate: int, new_rate: int) -> int:
    """Inputs on each side that an output is made of."""
    return math.ceil(ZEROS * rate / (min(rate, new_rate) * ROLLOFF))


def _weights(seconds: NDArray[Any], rate: int, cutoff: float) -> NDArray[np.float64]:
    """Of inputs so far from an output."""
    time = np.clip(seconds * cutoff, -ZEROS, ZEROS)
    found: NDArray[np.float64] = np.sinc(time) * np.cos(time * math.pi / ZEROS / 2) ** 2 * (cutoff / rate)
    return found


@lru_cache(maxsize=64)
def kernel(rate: int, new_rate: int) -> tuple[NDArray[np.float32], int]:
    """``[taps, new_rate]``: a column for each place of an output between two inputs; and the taps before the first."""
    width = _width(rate, new_rate)
    taps = np.arange(-width, width + rate)[:, None] / rate
    places = np.arange(new_rate)[None, :] / new_rate
    return _weights(taps - places, rate, min(rate, new_rate) * ROLLOFF).astype(np.float32), width
