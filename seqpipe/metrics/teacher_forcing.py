"""How well a head that writes label by label predicts texts that it is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TeacherForcedScores:
    """Sums over the labels of reference texts, ends included, each given the reference before it (teacher forcing).

    They are of the head's own units, so only heads with the same ones compare.

    Attributes:
        missed: sum of -log p, in nats.
        right: labels that were the likeliest ones.
        labels: how many there are.
    """

    missed: float
    right: float
    labels: float

    @property
    def perplexity(self) -> float:
        """e to the mean of -log p (to 700 at most): as unsure as between so many labels alike."""
        mean = self.missed / self.labels
        return mean if math.isnan(mean) else math.exp(min(mean, 700.0))

    @property
    def token_accuracy(self) -> float:
        """Share of labels that were the likeliest ones, in per cent."""
        return 100 * self.right / self.labels

    @property
    def scores(self) -> dict[str, float]:
        """Both by name."""
        return {"perplexity": self.perplexity, "token_accuracy": self.token_accuracy}
