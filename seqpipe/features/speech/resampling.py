"""Changing the speed of samples while training: torch's side of `seqpipe.features.speech.sinc`."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.features.speech.sinc import kernel


def resample_by_ratio(samples: Tensor, rate: int, new_rate: int) -> Tensor:
    """``[S]`` at ``rate`` -> ``[ceil(S · new_rate / rate)]``, as `seqpipe.features.speech.sinc.resample` does it.

    The matrix of weights has about ``rate · new_rate`` entries after division by their common factor, so this is for
    small numbers such as 93 and 100.
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
    """As a tensor."""
    matrix, width = kernel(rate, new_rate)
    return torch.from_numpy(matrix), width
