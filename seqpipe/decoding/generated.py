"""What searches over texts have in common, whatever computes them: hypotheses, and when a row is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FUSED_LABELS = 20
"""The likeliest ones of each hypothesis, hot words counted, that CTC and language models are asked about, at least."""
TOUCHED = 1e-9
"""Attention that a step counts as having had at least, so that its logarithm is finite."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A hypothesis that has come to its end.

    Attributes:
        labels: without the end.
        log_probability: of the labels and the end given the input, in nats.
        score: what hypotheses are compared by.
    """

    labels: list[int]
    log_probability: float
    score: float


def is_hopeful(found: Sequence[Generated], hope: float, wanted: int) -> bool:
    """Whether a hypothesis that may still become as good as ``hope`` could be among the ``wanted`` best."""
    scores = sorted((item.score for item in found), reverse=True)
    return hope > (scores[wanted - 1] if len(scores) >= wanted else float("-inf"))


def best_of(found: Sequence[Generated], wanted: int) -> list[Generated]:
    """The ``wanted`` best, best first."""
    return sorted(found, key=lambda item: -item.score)[:wanted]
