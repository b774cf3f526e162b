"""What a generating head answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from seqpipe.core.answer import Answer


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

    def to_json(self) -> dict[str, Any]:
        """One JSON object; the probability rounded to 6 digits, the score to 4."""
        return {"text": self.text, "probability": round(self.probability, 6), "score": round(self.score, 4)}


@dataclass(frozen=True, slots=True)
class GeneratedText(Answer):
    """The text that was written for one input.

    Attributes:
        id: of the row.
        text: the best hypothesis.
        confidence: its probability, 0 to 1.
        score: what it was chosen by; see `TextHypothesis`.
        alternatives: the best hypotheses, this one first, if ``decoding.n_best`` asks for several.
        truncated: tokens at the end of the input that were not read, if the features leave some out.
    """

    mapped: ClassVar[tuple[str, ...]] = ("answers",)
    id: str
    text: str
    confidence: float
    score: float
    alternatives: tuple[TextHypothesis, ...] = ()
    truncated: int = 0

    def to_json(self) -> dict[str, Any]:
        """One JSON object; probabilities rounded to 6 digits, scores to 4."""
        return {
            "id": self.id,
            "text": self.text,
            "confidence": round(self.confidence, 6),
            "score": round(self.score, 4),
            "alternatives": [each.to_json() for each in self.alternatives],
            "truncated": self.truncated,
        }


def concatenated(row_id: str, parts: Sequence[GeneratedText]) -> GeneratedText:
    """One answer out of those of an input's parts, which are taken as independent of each other.

    Texts are joined by spaces. Probabilities are multiplied, scores added up. Of several hypotheses the best
    combinations are kept, as many as the parts have at most.

    Args:
        row_id: of the whole.
        parts: in their order.
    """
    most = max(len(part.alternatives) for part in parts)
    found = [TextHypothesis("", 1.0, 0.0)]
    for part in parts:
        own = part.alternatives or (TextHypothesis(part.text, part.confidence, part.score),)
        pairs = [
            TextHypothesis(
                f"{one.text} {other.text}".strip(), one.probability * other.probability, one.score + other.score
            )
            for one in found
            for other in own
        ]
        found = sorted(pairs, key=lambda pair: -pair.score)[: max(1, most)]
    best = found[0]
    return GeneratedText(
        row_id,
        best.text,
        best.probability,
        best.score,
        tuple(found) if most else (),
        sum(part.truncated for part in parts),
    )
