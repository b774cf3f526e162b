"""Longer or shorter without a change of pitch."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FRAME_SECONDS = 0.03  # two or more periods of a low voice
SEARCH_SECONDS = 0.01  # a period of a voice of 100 Hz, so that a matching place is always in reach


def time_scaled(samples: Tensor, length: int, sample_rate: int) -> Tensor:
    """``[S]`` stretched or shrunk to ``[length]``, pitch and formants kept.

    Waveform similarity overlap-add (Verhelst & Roelands 1993): windowed frames are laid down at an even hop, each taken
    from near its place in the input, at the offset where it best continues the frame before.

    Args:
        samples: ``[S]``.
        length: wanted, at least 1.
        sample_rate: in hertz.
    """
    if length == len(samples):
        return samples
    hop = max(2, round(FRAME_SECONDS * sample_rate / 2))
    reach = max(1, round(SEARCH_SECONDS * sample_rate / 2))
    source = samples.numpy()
    speed = len(source) / length
    frames = math.ceil(length / hop) + 1
    # Frame k is centred on output sample k · hop, and so on input sample k · hop · speed.
    before = hop + reach
    padded = np.zeros(before + math.ceil(frames * hop * max(speed, 1.0)) + 4 * hop + 2 * reach, dtype=np.float32)
    padded[before : before + len(source)] = source
    window = np.hanning(2 * hop + 1)[:-1].astype(np.float32)  # two of them, a hop apart, sum to 1
    output = np.zeros((frames + 1) * hop, dtype=np.float32)
    start = before - hop  # of the first frame, which is taken where it stands
    for frame in range(frames):
        if frame:
            follows = padded[start + hop : start + 2 * hop]  # what came next after the frame before
            wanted = round(frame * hop * speed) + before - hop
            start = wanted - reach + _best(padded[wanted - reach : wanted + reach + hop], follows)
        output[frame * hop : (frame + 2) * hop] += window * padded[start : start + 2 * hop]
    return torch.from_numpy(output[hop : hop + length].copy())


def _best(region: NDArray[np.float32], pattern: NDArray[np.float32]) -> int:
    """Where in the region the pattern is most similar: the largest normalised cross-correlation."""
    product = np.correlate(region, pattern, mode="valid")
    energy = np.cumsum(np.concatenate([[0.0], region.astype(np.float64) ** 2]))
    local = energy[len(pattern) :] - energy[: -len(pattern)]
    return int(np.argmax(product / np.sqrt(np.maximum(local, 1e-9))))
