"""What a generating head answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TextHypothesis:
    """A text that an answer chose between.

    Attributes:
        text: as decoded.
        probability: of the text given the input, 0 to 1: the product over its units and the end.
        score: what hypotheses were compared by: the log-probability in nats, normalised by length as
            ``decoding.length_normalization`` says, less the penalties.
    """

    text: str
    probability: float
    score: float


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """The text that was written for one input.

    Attributes:
        id: of the row.
        text: the best hypothesis.
        confidence: its probability, 0 to 1.
        score: what it was chosen by; see `TextHypothesis`.
        alternatives: the best hypotheses, this one first, if ``decoding.n_best`` asks for several.
        cut: tokens at the end of the input that were not read, if the features leave some out.
    """

    id: str
    text: str
    confidence: float
    score: float
    alternatives: tuple[TextHypothesis, ...] = ()
    cut: int = 0

    def to_json(self) -> dict[str, Any]:
        """One JSON object; probabilities rounded to 6 digits, scores to 4."""
        return {
            "id": self.id,
            "text": self.text,
            "confidence": round(self.confidence, 6),
            "score": round(self.score, 4),
            "alternatives": [
                {"text": each.text, "probability": round(each.probability, 6), "score": round(each.score, 4)}
                for each in self.alternatives
            ],
            "cut": self.cut,
        }
