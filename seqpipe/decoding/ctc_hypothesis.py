"""What connectionist temporal classification has found in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

BLANK = 0


def frames_needed(labels: Sequence[int]) -> int:
    """The least number of emission steps for these labels: one each, and a blank between equal neighbours."""
    return len(labels) + sum(first == second for first, second in pairwise(labels))


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
