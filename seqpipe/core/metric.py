"""What a head says about its answers, so that scores, reports and comparisons work for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.metrics.span_errors import SpanError

Counts = NDArray[Any]
"""Of rows or of a corpus, in int64 or float64."""
Pair = tuple[str, str]
"""An item of the reference and what stands in its place in the answer; "" where one side has nothing."""


@dataclass(frozen=True)
class ScoreKind:
    """How a score reads.

    Attributes:
        label: short, as papers print it (``WER``).
        name: in words.
        lower_is_better: whether it counts errors.
        part: the count it is a share of ...
        whole: ... this count; None for a score that is no share of two counts.
        unit: printed behind the number.
    """

    label: str
    name: str
    lower_is_better: bool
    part: str | None = None
    whole: str | None = None
    unit: str = " %"


@dataclass(frozen=True)
class Mark:
    """A part of an answer with its place in the input: a token of a transcript, say.

    Attributes:
        text: the part.
        start: where it begins, in the unit of the input (seconds for audio).
        end: where it ends.
        confidence: 0 to 1.
        item: which of the answer's items (words) it belongs to, counted from 0; None if to none.
    """

    text: str
    start: float
    end: float
    confidence: float
    item: int | None = None


class ScoringHead(Protocol):
    """The part of a head that `seqpipe.evaluation` rests on.

    Everything goes through counts: a row has C of them, a corpus has their sum, and each score is a function of that
    sum. So a resampled corpus (bootstrap), two runs with rows exchanged (randomisation test) and the rows of one
    speaker are scored by the same function as the whole.

    Answers have ``confidence``, a probability from 0 to 1.
    """

    @property
    def main_score(self) -> str:
        """The score that training, searches and reports go by; known before the head is fitted."""

    @property
    def score_kinds(self) -> Mapping[str, ScoreKind]:
        """By the names that `scores_from_counts` gives, the most telling ones first.

        That of the main score is known before the head is fitted; others may depend on what it has learnt.
        """

    @property
    def count_names(self) -> tuple[str, ...]:
        """C names, known once the head is fitted; ``rows`` is one of them, and those that score kinds name."""

    def row_counts(self, targets: Sequence[Any], predictions: Sequence[Any]) -> Counts:
        """Counts of every row, ``[N, C]``; sums of what is no whole number (squared errors, say) are floats."""

    def scores_from_counts(self, total: Any) -> dict[str, float]:
        """Scores of a corpus from the sum ``[C]`` of its rows' counts."""

    def row_errors(self, counts: Any) -> NDArray[np.float64]:
        """How wrong each row is, ``[N, C]`` -> ``[N]``: 0 where all is right, more where it is worse."""

    def comparable(self, targets: Sequence[Any], predictions: Sequence[Any]) -> tuple[list[str], list[str]]:
        """References and answers as text, as they are compared."""

    def aligned(self, targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, list[list[Pair]]]:
        """Each row's items beside what was answered, by kind of item (``words``); the first kind is the one shown."""

    def posteriors(self, encoded: PaddedSequence, targets: Sequence[Tensor]) -> list[float]:
        """The probability of each row's target given its input, 0 to 1; of what was answered, it is the confidence."""

    def marks(self, prediction: Any) -> Sequence[Mark]:
        """Parts of an answer that have a place in the input, in their order; none where there are no places."""

    # With defaults in `seqpipe.core.stage.Stage`

    @property
    def told_apart(self) -> Sequence[str]:
        """The classes that answers may have; none where answers are no classes."""

    def choices(self, prediction: Any) -> Sequence[tuple[str, float]]:
        """What an answer chose between, with probabilities, falling."""

    def item_confidences(self, prediction: Any) -> Sequence[float]:
        """The confidence of each item that `aligned` shows; none where only the whole answer has one."""

    def span_errors(self, target: Any, prediction: Any) -> Sequence[SpanError]:
        """What is wrong with an answer's spans."""

    @property
    def scoring(self) -> str:
        """How answers are made comparable before scoring, in words."""


def chief_scores(scores: Mapping[str, float], main: str, most: int = 4) -> dict[str, float]:
    """The main score, a few that stand beside it, and the loss, for lines that have no room for all.

    Args:
        scores: in the order of the head's `score_kinds`; ``loss`` may be among them.
        main: the main score.
        most: scores without the loss.
    """
    names = [name for name in (main, *scores) if name in scores and name != "loss"]
    shown = list(dict.fromkeys(names))[:most]
    return {name: scores[name] for name in [*shown, *(["loss"] if "loss" in scores else [])]}


def per_cent(part: float, whole: float) -> float:
    """The share in per cent; of nothing it is 0, or infinite if there is a part of it (words where none were said)."""
    return 100.0 * part / whole if whole else (0.0 if part == 0 else float("inf"))
