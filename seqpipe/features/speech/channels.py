"""Recordings of several channels: one channel of them, or all mixed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.warning import warn
from seqpipe.errors import InputError

Channels = Literal["mix", "first", "loudest", "each"]
CANCELLED = 0.1
"""Share of the power that unrelated channels would leave in their mean, below which they cancel: of two channels of one
level, what a correlation under -0.9 leaves."""
BLOCK = 8192
"""Samples that are looked at together, half a second at 16 kHz: a cable may be loose for a part of a recording."""
LOST = 0.1
"""Share of a recording's power that may be lost where channels cancel, before a mix is not used."""


def to_mono(samples: NDArray[Any], channels: Channels, name: str) -> NDArray[Any]:
    """One channel ``[S]`` of ``[S]`` or ``[S, C]``.

    Args:
        samples: finite.
        channels: ``mix``, the mean of the channels, unless they cancel in more than a tenth of the sound: then the
            loudest, with a warning (``cancelling channels``); ``first``; ``loudest``, that of the greatest
            power without its offset; ``each``, for which a recording must have one.
        name: for messages.

    Raises:
        InputError: there are several channels, and each was to be answered by itself.
    """
    if samples.ndim == 1 or samples.shape[1] == 1:
        return samples.reshape(-1)
    count = samples.shape[1]
    if channels == "first":
        return samples[:, 0]
    if channels == "each":
        raise InputError(
            "bad value",
            f"{name}: has {count} channels, which channels: each keeps apart, and a target belongs to one of them; "
            "name it in a column (data.channel), or mix them",
        )
    power = _power(samples)
    loudest = int(power.sum(axis=0).argmax())
    if channels == "loudest":
        return samples[:, loudest]
    mixed: NDArray[Any] = samples.mean(axis=1)
    left, mean = _power(mixed[:, None])[:, 0], power.mean(axis=1)
    lost = mean[left < CANCELLED * mean / count].sum()
    if lost > LOST * mean.sum():
        warn(
            "cancelling channels",
            f"{name}: its {count} channels cancel when they are mixed (opposite phase?), in "
            f"{100 * lost / mean.sum():.0f} % of its sound; channel {loudest + 1}, the loudest, is read alone",
        )
        return samples[:, loudest]
    return mixed


def _power(samples: NDArray[Any]) -> NDArray[Any]:
    """Of ``[S, C]`` in each block, without its offset, times its length: ``[B, C]``; the last block is the longest."""
    whole = max(1, len(samples) // BLOCK)
    edges = [*range(0, whole * BLOCK, BLOCK), len(samples)]
    # Contiguous: numpy takes four times as long along the first axis of two.
    blocks = (np.ascontiguousarray(samples[at:to].T) for at, to in pairwise(edges))
    return np.stack([block.shape[1] * block.var(axis=1) for block in blocks]) if len(samples) else np.zeros((1, 1))
