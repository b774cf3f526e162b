"""A map of confidences out of parts of which it is known whether they are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.calibration import LEAST, ConfidenceMap
from seqpipe.evaluation.scores.parts import Parts

WEIGHT_DEVIATION = 1.0
"""How far weights are expected to lie from those of the identity, as a standard deviation: a few parts move them
little, and parts that are all right don't move them without end."""
STEPS = 50


def fit_map(parts: Parts) -> ConfidenceMap:
    """Beta calibration with further features, by penalised likelihood: a normal prior around what changes nothing.

    Newton's method on a concave function, so there is one answer, and the same every time. A weight of ln p or
    ln(1 - p) that would be below 0 is 0, and the others are fitted anew, as Kull et al. (2017) do: the map must not
    turn confidences around.

    Args:
        parts: as the model is sure of them.
    """
    p = np.maximum(parts.confidences, LEAST)
    rest = np.maximum(1.0 - parts.confidences, LEAST)
    means = {name: float(values.mean()) for name, values in parts.features.items()}
    columns = [np.log(p), -np.log(rest), np.ones(len(parts))]
    columns += [values - means[name] for name, values in parts.features.items()]
    matrix = np.stack(columns, axis=1)  # [N, W]
    prior = np.array([1.0, 1.0] + [0.0] * (matrix.shape[1] - 2))
    free = np.ones(len(prior), dtype=bool)
    weights = _fit(matrix, parts.right, prior, free)
    while (weights[:2] < 0).any():
        free[int(weights[:2].argmin())] = False
        weights = _fit(matrix, parts.right, prior, free)
    named = {name: (float(weight), means[name]) for name, weight in zip(parts.features, weights[3:], strict=True)}
    return ConfidenceMap(float(weights[0]), float(weights[1]), float(weights[2]), named)


def _fit(
    matrix: NDArray[np.float64], right: NDArray[np.bool_], prior: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The weights ``[W]``; those that aren't free are 0."""
    weights = np.where(free, prior, 0.0)
    penalty = np.full(len(prior), WEIGHT_DEVIATION**-2)
    value = _objective(matrix, right, weights, prior, penalty)
    for _ in range(STEPS):
        chances = 0.5 * (1.0 + np.tanh(0.5 * (matrix @ weights)))
        gradient = matrix.T @ (right - chances) - penalty * (weights - prior)
        curvature = (matrix * (chances * (1.0 - chances))[:, None]).T @ matrix + np.diag(penalty)
        step = np.zeros_like(weights)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        share = 1.0
        while share > 1e-8:  # a whole step of Newton's may go too far
            moved = weights + share * step
            found = _objective(matrix, right, moved, prior, penalty)
            if found >= value:
                break
            share /= 2
        else:
            break
        gained, weights, value = found - value, moved, found
        if gained <= 1e-10 * max(1.0, abs(value)):
            break
    return weights


def _objective(
    matrix: NDArray[np.float64],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
    prior: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> float:
    log_odds = matrix @ weights
    likelihood = -np.logaddexp(0.0, np.where(right, -log_odds, log_odds)).sum()
    return float(likelihood - 0.5 * (penalty * (weights - prior) ** 2).sum())
