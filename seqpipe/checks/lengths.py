"""Inputs that are far too long, and targets that say far too much or too little for the length of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.checks.part import Part
from seqpipe.core.head import Head, SpellsTargets

FAR_LONGER = 10
"""Times the median. Of healthy sets of recordings, the longest was 2 to 4 times as long as the median."""
FEWEST_ROWS = 30
"""Below this, nothing is usual yet."""
DEVIATIONS = 4.0
"""Standard deviations (estimated from the median absolute deviation) of the log-ratio that are unusual."""
SMALLEST_RATIO = 2.0
"""Where all rows are much alike, less than twice or half of the usual is still no finding."""

Floats = NDArray[np.float64]


def find_long_inputs(parts: Sequence[Part], show: Callable[[int], str]) -> None:
    """Warn of inputs that are many times as long as the median of the first part.

    Args:
        parts: the training rows first.
        show: a length in words.
    """
    lengths = parts[0].lengths
    if len(lengths) < FEWEST_ROWS:
        return
    median = int(np.median(lengths))
    for part in parts:
        for row, inspection in zip(part.rows, part.inspections, strict=True):
            if inspection.length > FAR_LONGER * median:
                part.findings.warn(
                    row,
                    "far longer than others",
                    f"{show(inspection.length)}; the median is {show(median)} (data.max_length sets a limit)",
                )


def find_unusual_rates(parts: Sequence[Part], head: Head, show: Callable[[int], str]) -> None:
    """Warn of rows whose input is far longer or shorter than is usual for as many characters: swapped or cut labels.

    What is usual is learnt from the first part: length = a + b · characters + c · spaces, since spelled letters and
    short words take longer than their characters say. The fit is robust (iteratively reweighted least squares of the
    relative error with Huber's weights; Huber 1964), and so is the scale of the log-ratios to it (MAD).

    Args:
        parts: the training rows first.
        head: whose characters are counted; without them there is nothing to find.
        show: a length in words.
    """
    if not isinstance(head, SpellsTargets):
        return
    counts = [_counts(part, head) for part in parts]
    known = counts[0][:, 0] > 0
    if known.sum() < FEWEST_ROWS:
        return
    lengths = [np.array(part.lengths, dtype=np.float64) for part in parts]
    weights, centre, deviation = _fit(counts[0][known], lengths[0][known])
    bound = max(DEVIATIONS * deviation, float(np.log(SMALLEST_RATIO)))
    for part, count, length in zip(parts, counts, lengths, strict=True):
        usual = _expected(count, weights, lengths[0][known]) * np.exp(centre)
        ratio = np.log(length / usual)
        for place in np.flatnonzero((count[:, 0] > 0) & (np.abs(ratio) > bound)).tolist():
            times = np.exp(ratio[place])
            part.findings.warn(
                part.rows[place],
                "too few characters for its length" if times > 1 else "too many characters for its length",
                f"{int(count[place, 0])} characters in {show(part.inspections[place].length)}; usual for such a "
                f"target: {show(round(usual[place]))}",
            )


def _counts(part: Part, head: SpellsTargets) -> Floats:
    """``[rows, 2]``: characters and spaces of the targets; 0 where there are none."""
    counts = np.zeros((len(part.rows), 2))
    for place, row in enumerate(part.rows):
        target_characters = head.target_characters(row.target) or ()
        counts[place] = len(target_characters), sum(symbol.isspace() for symbol in target_characters)
    return counts


def _expected(counts: Floats, weights: Floats, lengths: Floats) -> Floats:
    """Lengths that are usual; never less than a twentieth of the median, whatever the line says at its ends."""
    return np.maximum(weights[0] + counts @ weights[1:], np.median(lengths) / 20)


def _fit(counts: Floats, lengths: Floats) -> tuple[Floats, float, float]:
    """Weights ``[3]`` of the line, and median and standard deviation of the log-ratios to it."""
    design = np.column_stack([np.ones(len(counts)), counts])
    importance = 1 / lengths
    for _ in range(10):
        weights = np.linalg.lstsq(design * importance[:, None], lengths * importance, rcond=None)[0].astype(np.float64)
        usual = _expected(counts, weights, lengths)
        ratio = np.log(lengths / usual)
        centre = float(np.median(ratio))
        deviation = max(1.4826 * float(np.median(np.abs(ratio - centre))), 1e-6)
        distance = np.maximum(np.abs(ratio - centre) / deviation, 1e-6)
        importance = np.sqrt(np.minimum(1, 1.345 / distance)) / usual
    return weights, centre, deviation
