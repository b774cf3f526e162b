"""Scores of numbers from sums, so that they can be had of any set of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.metric import ScoreKind

SUMS = ("error", "squared error", "target", "squared target", "answer", "squared answer", "product")
"""Of one value: what `number_sums` adds up."""

NUMBER_SCORES: dict[str, ScoreKind] = {
    "mae": ScoreKind("MAE", "mean absolute error, in the unit of the targets", True, unit=""),
    "rmse": ScoreKind("RMSE", "root of the mean squared error, in the unit of the targets", True, unit=""),
    "r2": ScoreKind("R²", "coefficient of determination, 1 at best", False, unit=""),
    "pearson": ScoreKind("Pearson", "correlation of targets and answers", False, unit=""),
}


def number_sums(
    targets: NDArray[np.float64], answers: NDArray[np.float64], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each row adds to the sums, ``[N, V, 7]`` in the order of `SUMS`.

    Args:
        targets: ``[N, V]``.
        answers: ``[N, V]``.
        centre: ``[V]``, about the targets' mean: what is far from 0 would lose digits when squared.
    """
    target, answer, error = targets - centre, answers - centre, answers - targets
    return np.stack([np.abs(error), error**2, target, target**2, answer, answer**2, target * answer], axis=-1)


def number_scores(sums: NDArray[np.float64], rows: float) -> dict[str, float]:
    """The scores of `NUMBER_SCORES` from sums ``[V, 7]`` over some rows, each averaged over the values.

    R² and correlation are 0 where they aren't defined: fewer than two rows, or numbers that are all equal.
    """
    if not rows:
        return dict.fromkeys(NUMBER_SCORES, 0.0)
    absolute, squared, target, target2, answer, answer2, product = sums.T / rows
    spread, spread_answer = target2 - target**2, answer2 - answer**2
    # Numbers that are all equal leave what rounding leaves.
    varies, both = spread > 1e-12 * target2, (spread > 1e-12 * target2) & (spread_answer > 1e-12 * answer2)
    r2 = np.where(varies, 1 - squared / np.where(varies, spread, 1.0), 0.0)
    scale = np.sqrt(np.where(both, spread * spread_answer, 1.0))
    pearson = np.where(both, np.clip((product - target * answer) / scale, -1.0, 1.0), 0.0)
    return {
        "mae": float(absolute.mean()),
        "rmse": float(np.sqrt(squared).mean()),
        "r2": float(r2.mean()),
        "pearson": float(pearson.mean()),
    }
