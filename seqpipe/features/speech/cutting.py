"""Where a long recording is cut: at pauses, found in its level, of which a value every 20 ms is all that is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import ConfigError

LEVELS_PER_SECOND = 50
OVERLAP = 1.0
"""Seconds heard beyond a cut: a second holds a word or two, so that one side at least has each of them whole, and gives
the recurrent layers something to start from."""
PAUSE = 0.14
"""Seconds to both sides of a cut that should be quiet: 0.3 s in all is more than a plosive's closure (0.1 s)."""
MIDDLE = 1.0
"""Seconds of pause after a cut that are enough: in a longer pause the cut is not put in the middle but later."""
QUIET = (2.0**-15) ** 2
"""Power of a step of 16 bit: nothing is quieter than this."""
SHORTEST = 1.0
"""Seconds that a segment must be allowed to have."""


@dataclass(frozen=True)
class Share:
    """One segment, in samples: what it answers for, and what it hears.

    Attributes:
        start: first sample of its share.
        stop: the one after the last.
        heard_from: first sample heard.
        heard_until: the one after the last.
        overlap: samples heard beyond a cut.
    """

    start: int
    stop: int
    heard_from: int
    heard_until: int
    overlap: int


def _samples_per_level(rate: int) -> int:
    return max(1, rate // LEVELS_PER_SECOND)


def samples_per_block(rate: int) -> int:
    """How many samples are looked at together: some ten seconds, a whole number of levels."""
    return 500 * _samples_per_level(rate)


def measure_levels(blocks: Iterable[NDArray[Any]], rate: int) -> NDArray[np.float64]:
    """The power of a recording every 20 ms; its mean is taken off, for an offset is no sound.

    Args:
        blocks: the samples ``[S]``, in parts of `samples_per_block`; the last may be shorter.
        rate: of the samples, in hertz.
    """
    hop = _samples_per_level(rate)
    levels = []
    for block in blocks:
        whole = len(block) - len(block) % hop
        levels.append(block[:whole].reshape(-1, hop).var(axis=1, dtype=np.float64))
        if whole < len(block):
            levels.append(block[whole:].var(keepdims=True, dtype=np.float64))
    return np.concatenate(levels)


def overlap_of(max_length: float, overlap: float = OVERLAP) -> float:
    """Seconds of overlap in segments of at most ``max_length`` seconds: never more than an eighth of them.

    Raises:
        ConfigError: ``max_length`` is below a second.
    """
    if not max_length >= SHORTEST:
        raise ConfigError(
            f"a segment of a long recording may have {SHORTEST:g} s or more; received max_length = {max_length}"
        )
    return min(overlap, max_length / 8)


def share_out(levels: NDArray[np.float64], count: int, rate: int, *, max_length: float, overlap: float) -> list[Share]:
    """A recording in segments of at most ``max_length`` seconds, each cut being at the quietest place of its range.

    The range is the latter half of what a segment may have, so that segments aren't many; the last segment gets a
    quarter of ``max_length`` at least, for a model knows little about half a second without what was before.

    Args:
        levels: as `measure_levels` gives them.
        count: samples in all.
        rate: of the samples, in hertz.
        max_length: seconds that a segment may have with its overlap.
        overlap: seconds heard beyond a cut, at most an eighth of ``max_length``.
    """
    hop = _samples_per_level(rate)
    most, beyond = int(max_length * rate) // hop, int(overlap * rate) // hop  # in levels from here on
    around = min(int(PAUSE * LEVELS_PER_SECOND), most // 8)
    cuts = [0]
    while len(levels) - max(0, cuts[-1] - beyond) > most:
        latest = min(max(0, cuts[-1] - beyond) + most - beyond, len(levels) - most // 4)
        earliest = (cuts[-1] + latest) // 2
        cuts.append(earliest + _pause(levels[earliest - around : latest + around], around))
    edges = [*(cut * hop for cut in cuts), count]
    return [
        Share(start, stop, max(0, start - beyond * hop), min(count, stop + beyond * hop), beyond * hop)
        for start, stop in pairwise(edges)
    ]


def _pause(levels: NDArray[np.float64], around: int) -> int:
    """The best place for a cut between ``levels[around]`` and ``levels[-around]``, counted from the former.

    Of all places that are as quiet as the quietest (within 3 dB) it is in the last run of them: in its middle, or
    `MIDDLE` before its end.
    """
    width = max(1, 2 * around)
    power = np.maximum(np.convolve(levels, np.full(width, 1 / width), mode="valid"), QUIET)
    quiet = np.flatnonzero(power <= 2 * power.min())
    breaks = np.flatnonzero(np.diff(quiet) > 1)
    first, last = quiet[breaks[-1] + 1 if len(breaks) else 0], quiet[-1]
    return int(max((first + last) // 2, last - MIDDLE * LEVELS_PER_SECOND))
