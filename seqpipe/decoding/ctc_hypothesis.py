"""What connectionist temporal classification has found in a row."""

from __future__ import annotations

from dataclasses import dataclass

BLANK = 0


@dataclass(frozen=True, slots=True)
class CTCHypothesis:
    """Labels, and the emission steps that each occupies.

    Attributes:
        labels: without blanks and repeats, each in 1 to V - 1.
        starts: first step of each label.
        stops: step after the last of each label.
        posteriors: of each label, the mean of its probability over its steps.
    """

    labels: tuple[int, ...]
    starts: tuple[int, ...]
    stops: tuple[int, ...]
    posteriors: tuple[float, ...]
