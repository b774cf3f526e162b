"""What a classifying head answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqpipe.core.answer import Answer


@dataclass(frozen=True, slots=True)
class ClassProbability:
    """A class with its probability, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Classification(Answer):
    """The class of one input.

    Attributes:
        id: of the row.
        label: the most probable class.
        confidence: its probability, 0 to 1.
        probabilities: of the most probable classes, falling; ``decoding.top`` says how many.
        truncated: tokens at the end of the input that were not read, if the features leave some out.
    """

    id: str
    label: str
    confidence: float
    probabilities: tuple[ClassProbability, ...]
    truncated: int = 0

    @property
    def class_probabilities(self) -> list[tuple[str, float]]:
        """The most probable classes."""
        return [(item.label, item.probability) for item in self.probabilities]

    @property
    def item_confidences(self) -> list[float]:
        """That of the class."""
        return [self.confidence]

    def to_json(self) -> dict[str, Any]:
        """One JSON object; probabilities rounded to 6 digits."""
        return {
            "id": self.id,
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "probabilities": [
                {"label": item.label, "probability": round(item.probability, 6)} for item in self.probabilities
            ],
            "truncated": self.truncated,
        }


@dataclass(frozen=True, slots=True)
class MultiClassification(Answer):
    """The labels of one input, of which there may be several, or none.

    Attributes:
        id: of the row.
        labels: whose probability reaches ``decoding.threshold``, the most probable first.
        confidence: probability that these are all of them, 0 to 1: the product over all labels, since the head takes
            each by itself.
        probabilities: of every label, falling.
        truncated: tokens at the end of the input that were not read, if the features leave some out.
    """

    id: str
    labels: tuple[str, ...]
    confidence: float
    probabilities: tuple[ClassProbability, ...]
    truncated: int = 0

    def to_json(self) -> dict[str, Any]:
        """One JSON object; probabilities rounded to 6 digits."""
        return {
            "id": self.id,
            "labels": list(self.labels),
            "confidence": round(self.confidence, 6),
            "probabilities": [
                {"label": item.label, "probability": round(item.probability, 6)} for item in self.probabilities
            ],
            "truncated": self.truncated,
        }
