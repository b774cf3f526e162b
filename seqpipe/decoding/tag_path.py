"""What a tagger makes of a row, before it has places in the input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TagPath:
    """The tags of a row.

    Attributes:
        tags: as answered.
        confidences: of each tag.
        confidence: of all of them together.
        spans: type, first word, word behind the last, and confidence.
        alternatives: the best answers with their probabilities, if more than one was asked for.
    """

    tags: list[str]
    confidences: list[float]
    confidence: float
    spans: list[tuple[str, int, int, float]]
    alternatives: list[tuple[list[str], float]]


def as_bio(tag: str) -> str:
    """A tag of BIO or BIOES as answers have it: ``S-PER`` is ``B-PER``, ``E-PER`` is ``I-PER``."""
    prefix, hyphen, kind = tag.partition("-")  # a prefix alone marks spans without a type
    return {"S": "B", "E": "I"}.get(prefix, prefix) + hyphen + kind
