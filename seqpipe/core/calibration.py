"""Confidences that can be believed: a temperature of the head, and maps of confidences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqpipe.core.answer import Answer, Confidences

LEAST = 1e-6
"""Confidences nearer to 0 or 1 count as so near: their logarithms stay finite."""


@dataclass(frozen=True)
class ConfidenceMap:
    """Beta calibration (Kull et al. 2017), a logistic regression over the two logarithms of a confidence p.

    ``sigmoid(log_p · ln p - log_rest · ln(1 - p) + intercept + sum of weight · (feature - mean))``: by default what it
    was. It rises with p, since neither ``log_p`` nor ``log_rest`` is below 0.

    Attributes:
        log_p: of ln p, 0 or more.
        log_rest: of -ln(1 - p), 0 or more.
        intercept: of all.
        features: weight and mean while fitting, of what else speaks for a part; one that a part lacks counts as its
            mean.

    Example:
        >>> ConfidenceMap(intercept=-1.0)(Confidences([0.5, 0.9]))
        [0.2689..., 0.7680...]
    """

    log_p: float = 1.0
    log_rest: float = 1.0
    intercept: float = 0.0
    features: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [
            self.log_p,
            self.log_rest,
            self.intercept,
            *(number for pair in self.features.values() for number in pair),
        ]
        if not all(map(math.isfinite, numbers)) or min(self.log_p, self.log_rest) < 0:
            raise ValueError(f"log_p and log_rest should be 0 or more, and all numbers finite; received {self}")

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        weights = (weight for weight, _ in self.features.values())
        return self.log_p == self.log_rest == 1.0 and self.intercept == 0.0 and not any(weights)

    def __call__(self, given: Confidences) -> list[float]:
        """Other confidences of the same parts, 0 to 1; one by one, so that none depends on how many there are."""
        if self.is_identity:
            return list(given.values)
        return [sigmoid(self._log_odds(value, given, place)) for place, value in enumerate(given.values)]

    def _log_odds(self, value: float, given: Confidences, place: int) -> float:
        p, rest = max(value, LEAST), max(1.0 - value, LEAST)
        total = self.log_p * math.log(p) - self.log_rest * math.log(rest) + self.intercept
        for name, (weight, mean) in self.features.items():
            if name in given.features:
                total += weight * (given.features[name][place] - mean)
        return total


@dataclass(frozen=True)
class Calibration:
    """What makes confidences the share of the right ones; answers themselves stay what they are.

    Attributes:
        temperature: of the head's distributions; see `seqpipe.core.head.Tempered`.
        maps: by kind of `Answer.confidences`.
    """

    temperature: float = 1.0
    maps: Mapping[str, ConfidenceMap] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"a temperature should be above 0 and finite; received {self.temperature}")

    def apply(self, answer: Any) -> Any:
        """An answer of a head that has the temperature, with mapped confidences."""
        if not self.maps or not isinstance(answer, Answer):
            return answer
        changed: dict[str, Sequence[float]] = {
            kind: self.maps[kind](given)
            for kind, given in answer.confidences.items()
            if kind in self.maps and not self.maps[kind].is_identity
        }
        return answer.with_confidences(changed) if changed else answer


def sigmoid(log_odds: float) -> float:
    """1 / (1 + exp(-x)), also where exp would overflow."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    small = math.exp(log_odds)
    return small / (1.0 + small)
