"""What a language model says of a text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from seqpipe.core.answer import Answer


@dataclass(frozen=True, slots=True)
class ScoredText(Answer):
    """How probable a text is, unit by unit, each given those before it.

    Attributes:
        id: of the row.
        confidence: the geometric mean of the probabilities of its units, the end included, 0 to 1.
        log_probability: of all of them together, in nats, at most 0; an unknown unit counts as the one that stands for
            all unknown ones.
        units: how many there are, the end included.
        right_units: of which the model held the right one for the likeliest.
        unknown: units that the vocabulary lacks.
        spelling: what it takes to spell these out, character by character, all of Unicode being equally likely; in
            nats, at most 0.
        characters: of the text after the rules.
    """

    id: str
    confidence: float
    log_probability: float
    units: int
    right_units: int
    unknown: int
    spelling: float
    characters: int

    @property
    def perplexity(self) -> float:
        """The inverse of the confidence: among how many equally likely units the model chose, as it were."""
        return math.exp(min(-self.log_probability / self.units, 700.0))

    def to_json(self) -> dict[str, Any]:
        """One JSON object; numbers rounded to 4 digits, the confidence to 6."""
        return {
            "id": self.id,
            "log_probability": round(self.log_probability, 4),
            "perplexity": round(self.perplexity, 4),
            "confidence": round(self.confidence, 6),
            "units": self.units,
            "unknown": self.unknown,
            "characters": self.characters,
        }
