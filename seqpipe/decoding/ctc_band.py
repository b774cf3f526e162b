"""Where the alignment of a long input may lie: around anchors, stretches of labels that free decoding has found too."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_alignment import CTCPath, align_long, refuse_unalignable
from seqpipe.decoding.ctc_hypothesis import BLANK
from seqpipe.decoding.ctc_lattice import Band, Emissions, whole_band
from seqpipe.errors import InputError

EXACT_CELLS = 300_000_000
"""Steps times labels up to which all is looked at, some seconds of work: ten minutes of speech in characters."""
MAX_CELLS = 100_000_000_000
"""Of a band, beyond which a text is taken to be another input's: a quarter of an hour of work."""
HALF_WIDTH = 1000
"""Labels to both sides of the line between two anchors: a minute of speech in characters."""

Anchors = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Steps, and the labels that are there, by their places in the text; both rise."""


def align_any(emissions: Emissions, labels: Sequence[int]) -> CTCPath:
    """The likeliest alignment of one input, however long.

    Up to `EXACT_CELLS` it is exact. Beyond, it is the best one in a band around anchors, which is made twice as wide
    until the path runs along none of its edges. That is no proof: a path that leaves the band altogether and comes
    back may be likelier.

    Raises:
        InputError: labels are none or too many for the steps; or the band would have to be so wide (`MAX_CELLS`) that
            the text is taken to be of another input.
    """
    refuse_unalignable(labels, len(emissions))
    steps = len(emissions)
    if steps * len(labels) <= EXACT_CELLS:
        return align_long(emissions, labels)
    anchors = find_anchors(emissions, labels)
    half_width = HALF_WIDTH
    while True:
        band = band_around(anchors, steps, len(labels), half_width)
        if (cells := int((band.stop - band.first).sum())) > MAX_CELLS:
            raise InputError(
                "no alignment",
                f"the text of {len(labels):,} units and the input of {steps:,} steps have so little in common "
                f"(anchors: {len(anchors[0]):,}) that {cells:,} pairs of them would have to be looked at: is it the "
                "text of another input?",
            )
        path = align_long(emissions, labels, band)
        if not path.touches:
            return path
        half_width *= 2


def band_around(anchors: Anchors, steps: int, labels: int, half_width: int) -> Band:
    """``half_width`` labels to both sides of the lines between anchors; more where these are far apart."""
    at = np.array([0, *anchors[0].tolist(), steps], dtype=np.float64)
    which = np.array([0, *anchors[1].tolist(), labels], dtype=np.float64)
    places = np.arange(steps)
    centre = np.interp(places, at, which)
    # Between two anchors the path is in the rectangle that they span.
    gaps = np.clip(np.diff(which), half_width, 4 * half_width)
    width = gaps[np.clip(np.searchsorted(at, places, side="right") - 1, 0, len(gaps) - 1)]
    whole = whole_band(steps, labels)
    first = np.minimum.accumulate(np.floor(centre - width)[::-1])[::-1].astype(np.int64)
    stop = np.maximum.accumulate(np.ceil(centre + width)).astype(np.int64)
    first = np.minimum(np.maximum(first, whole.first), whole.stop - 1)
    return Band(first, np.maximum(np.minimum(stop, whole.stop), first + 1))


def find_anchors(emissions: Emissions, labels: Sequence[int]) -> Anchors:
    """Runs of labels that stand once in the text and once in what free decoding has found, in the same order in both.

    How long these runs are follows from the text: so long that a run drawn from its labels would hardly stand in it by
    chance. Of all that agree, the longest rising sequence is kept (as patience diff does).
    """
    text = np.asarray(labels, dtype=np.int64)
    heard, steps = _greedy(emissions)
    counts = np.bincount(text)
    shares = counts[counts > 0] / len(text)
    entropy = max(0.1, float(-(shares * np.log(shares)).sum()))  # nats a label
    length = math.ceil(2 * math.log(len(text) + len(heard) + 1) / entropy)
    if min(len(text), len(heard)) < length:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    (own, in_text), (other, in_heard) = _once(text, length), _once(heard, length)
    _, left, right = np.intersect1d(own, other, assume_unique=True, return_indices=True)
    pairs = sorted(zip(in_text[left].tolist(), in_heard[right].tolist(), strict=True))
    kept = [pairs[index] for index in _rising([place for _, place in pairs])]
    places = np.array([place for place, _ in kept], dtype=np.int64)
    return steps[np.array([place for _, place in kept], dtype=np.int64)], places


def _greedy(emissions: Emissions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of best path decoding, and the first step of each."""
    block = 1 << 16
    best = np.concatenate(
        [
            emissions.block(start, min(len(emissions), start + block)).argmax(axis=1)
            for start in range(0, len(emissions), block)
        ]
    )
    begins = np.flatnonzero(np.concatenate([[True], best[1:] != best[:-1]]) & (best != BLANK))
    return best[begins].astype(np.int64), begins


def _once(labels: NDArray[np.int64], length: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of the runs of ``length`` labels that stand once, rising, and where they begin."""
    hashes = np.zeros(len(labels) - length + 1, dtype=np.uint64)
    for offset in range(length):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + labels[offset : offset + len(hashes)].astype(np.uint64)
        hashes ^= hashes >> np.uint64(29)
    values, places, counts = np.unique(hashes, return_index=True, return_counts=True)
    return values[counts == 1], places[counts == 1]


def _rising(values: Sequence[int]) -> list[int]:
    """Positions of a longest strictly rising subsequence (Schensted 1961)."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for position, value in enumerate(values):
        place = bisect_left(tails, value)
        before.append(ends[place - 1] if place else -1)
        tails[place : place + 1] = [value]
        ends[place : place + 1] = [position]
    found, position = [], ends[-1] if ends else -1
    while position >= 0:
        found.append(position)
        position = before[position]
    return found[::-1]
