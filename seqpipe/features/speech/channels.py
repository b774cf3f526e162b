"""Recordings of several channels: one channel of them, or all mixed."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.warning import warn
from seqpipe.errors import InputError

Channels = Literal["mix", "first", "loudest", "each"]
CANCELLED = 0.1
"""Share of the power that unrelated channels would leave in their mean, below which a mix is not used: of two channels
of one level, what a correlation under -0.9 leaves."""


def to_mono(samples: NDArray[Any], channels: Channels, name: str) -> NDArray[Any]:
    """One channel ``[S]`` of ``[S]`` or ``[S, C]``.

    Args:
        samples: finite.
        channels: ``mix``, the mean of the channels, unless they cancel: then the loudest, with a warning
            (``cancelling channels``); ``first``; ``loudest``, that of the greatest power without its offset;
            ``each``, for which a recording must have one.
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
    power = samples.var(axis=0, dtype=np.float64) if len(samples) else np.zeros(count)
    loudest = int(power.argmax())
    if channels == "loudest":
        return samples[:, loudest]
    mixed: NDArray[Any] = samples.mean(axis=1)
    if len(samples) and mixed.var(dtype=np.float64) < CANCELLED * power.mean() / count:
        warn(
            "cancelling channels",
            f"{name}: its {count} channels cancel when they are mixed (opposite phase?); channel {loudest + 1}, the "
            "loudest, is read alone",
        )
        return samples[:, loudest]
    return mixed
