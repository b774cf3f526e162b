"""What a head that answers with numbers says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqpipe.core.answer import Answer


@dataclass(frozen=True, slots=True)
class Regression(Answer):
    """The number of one input, or the numbers.

    Attributes:
        id: of the row.
        values: in the unit of the targets.
        standard_deviations: how far each value is expected to be off: a standard deviation, in the same unit.
        confidence: probability that every value lies within the head's tolerance of the truth, 0 to 1.
        truncated: tokens at the end of the input that were not read, if the features leave some out.
    """

    id: str
    values: tuple[float, ...]
    standard_deviations: tuple[float, ...]
    confidence: float
    truncated: int = 0

    def to_json(self) -> dict[str, Any]:
        """One JSON object; the probability rounded to 6 digits, the numbers to 9 significant ones."""
        return {
            "id": self.id,
            "values": [float(f"{value:.9g}") for value in self.values],
            "standard_deviations": [float(f"{value:.9g}") for value in self.standard_deviations],
            "confidence": round(self.confidence, 6),
            "truncated": self.truncated,
        }
