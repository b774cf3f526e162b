"""Changing the rate of samples by a simple ratio, quickly."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

ZEROS = 6  # crossings of the sinc on each side, as in torchaudio
ROLLOFF = 0.99  # the cut-off, as a share of the lower of the two Nyquist frequencies


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
    cutoff = min(rate, new_rate) * ROLLOFF
    width = math.ceil(ZEROS * rate / cutoff)
    taps = torch.arange(-width, width + rate, dtype=torch.float64)[:, None] / rate
    places = torch.arange(new_rate, dtype=torch.float64)[None, :] / new_rate
    time = ((taps - places) * cutoff).clamp(-ZEROS, ZEROS)
    window = torch.cos(time * math.pi / ZEROS / 2).square()
    return (torch.sinc(time) * window * (cutoff / rate)).float(), width
