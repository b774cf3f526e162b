"""How far confidences can be believed, from sums of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.metric import ScoreKind

BINS = 15
"""Of equal width, of the expected calibration error (Guo et al. 2017)."""
MICRO = 1_000_000
"""Confidences are counted in whole millionths, so that sums of counts don't depend on their order."""


def kinds(items: str) -> dict[str, ScoreKind]:
    """How ``ece`` reads, whose confidences are those of ``items`` (rows, words)."""
    return {"ece": ScoreKind("ECE", f"expected calibration error over {items}, {BINS} bins", True)}


def names() -> tuple[str, ...]:
    """Names of the columns that `counts` gives."""
    return tuple(f"{what} in bin {number}" for what in ("items", "confidence", "right") for number in range(BINS))


def counts(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Counts of one row's items by bins of confidence, ``[3 · 15]``: how many, their confidence, how many are right."""
    places = np.clip(np.ceil(confidences * BINS).astype(np.int64) - 1, 0, BINS - 1)
    sums = np.zeros((3, BINS), dtype=np.int64)
    np.add.at(sums[0], places, 1)
    np.add.at(sums[1], places, np.rint(confidences * MICRO).astype(np.int64))
    np.add.at(sums[2], places, right.astype(np.int64))
    return sums.reshape(-1)


def score(counts: NDArray[np.int64]) -> dict[str, float]:
    """``ece`` in per cent: mean distance of confidence and share of right ones, over bins by their size."""
    items, confidence, right = counts.reshape(3, BINS).astype(np.float64)
    total = items.sum()
    return {"ece": 100 * float(np.abs(confidence / MICRO - right).sum() / total) if total else 0.0}
