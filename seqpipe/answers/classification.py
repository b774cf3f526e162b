"""What a classifying head answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def classified(row_id: str, names: Sequence[str], found: Sequence[tuple[int, float]], truncated: int) -> Classification:
    """The most probable classes of a row as an answer.

    Args:
        row_id: of the row.
        names: of all classes.
        found: numbers of classes with their probabilities, falling.
        truncated: tokens at the end of the input that were not read.
    """
    shares = tuple([ClassProbability(names[number], share) for number, share in found])
    return Classification(row_id, shares[0].label, shares[0].probability, shares, truncated)


def labelled(
    row_id: str, names: Sequence[str], shares: Sequence[float], threshold: float, truncated: int
) -> MultiClassification:
    """The labels of a row as an answer.

    Args:
        row_id: of the row.
        names: of all labels.
        shares: the probability of each.
        threshold: from which a label is answered.
        truncated: tokens at the end of the input that were not read.
    """
    found = [ClassProbability(name, share) for name, share in zip(names, shares, strict=True)]
    found.sort(key=lambda item: -item.probability)  # stable: equal ones stay in the order of the labels
    labels = tuple(item.label for item in found if item.probability >= threshold)
    confidence = float(np.prod([share if share >= threshold else 1 - share for share in shares]))
    return MultiClassification(row_id, labels, confidence, tuple(found), truncated)
