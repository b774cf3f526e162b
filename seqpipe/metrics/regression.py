"""Scores of numbers, by sums that rows have each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.regression import Regression
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind, per_cent
from seqpipe.errors import read_or
from seqpipe.metrics import calibration
from seqpipe.metrics.layout import Layout
from seqpipe.metrics.number_scores import NUMBER_SCORES, SUMS, number_scores, number_sums
from seqpipe.metrics.numbers import numbers_of


@dataclass(frozen=True)
class Scale:
    """What targets are measured by, of each of V values.

    Attributes:
        means, standard_deviations: of the training targets.
        tolerances: how far an answer may be from the truth and still count as right.
    """

    means: list[float]
    standard_deviations: list[float]
    tolerances: list[float]


class RegressionMetric(BaseMetric):
    """Errors of numbers, their correlation with the targets, and how many rows are within the tolerance.

    Args:
        scale: of the training targets.
    """

    main: ClassVar[str] = "mae"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        **NUMBER_SCORES,
        "within_tolerance": ScoreKind(
            "within tolerance", "rows whose values are all within the tolerance", False, "correct_rows", "rows"
        ),
        **calibration.kinds("rows"),
    }

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        values = range(1, len(scale.means) + 1)
        self.layout = Layout(
            rows=("rows", "correct_rows", "scored_rows"),
            sums=[f"{what} {number}" for number in values for what in SUMS],
            calibration=calibration.names(),
        )
        self.names = self.layout.names

    def count(
        self, targets: Sequence[Any], answers: Sequence[Regression], inputs: Sequence[Any] = ()
    ) -> NDArray[np.float64]:
        """Sums of every row, ``[N, C]``.

        A row whose target is no number (or not as many) counts as not within the tolerance, and in no other score.
        """
        counts = np.zeros((len(targets), len(self.names)))
        for row, wanted, answer in zip(counts, map(self._numbers, targets), answers, strict=True):
            row[0] = 1
            if wanted is None:
                continue
            given = np.array(answer.values)
            right = bool((np.abs(given - wanted) <= self.scale.tolerances).all())
            row[self.layout["rows"]] = 1, right, 1
            sums = number_sums(wanted[None], given[None], np.array(self.scale.means))
            row[self.layout["sums"]] = sums.reshape(-1)
            row[self.layout["calibration"]] = calibration.counts(np.array([answer.confidence]), np.array([right]))
        return counts

    def _numbers(self, target: Any) -> NDArray[np.float64] | None:
        """The numbers of a target, None of what is none."""
        numbers = read_or([], numbers_of, target)
        return np.array(numbers) if len(numbers) == len(self.scale.means) else None

    def scores(self, total: NDArray[np.float64]) -> dict[str, float]:
        """``within_tolerance`` and ``ece`` in per cent."""
        rows, correct, known = total[self.layout["rows"]].tolist()
        return {
            **number_scores(total[self.layout["sums"]].reshape(-1, len(SUMS)), known),
            "within_tolerance": per_cent(correct, rows),
            **calibration.score(np.rint(total[self.layout["calibration"]]).astype(np.int64)),
        }

    def errors(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean error in tolerances, 0 for a row within them, 1 where the target is no number; ``[N, C]`` -> ``[N]``."""
        absolute = counts[:, self.layout["sums"]][:, :: len(SUMS)] / self.scale.tolerances  # [N, V]
        wrong = np.where(counts[:, 2] > 0, absolute.mean(axis=1), 1.0)
        return np.where(counts[:, 1] > 0, 0.0, wrong)

    def comparable(self, targets: Sequence[Any], answers: Sequence[Regression]) -> tuple[list[str], list[str]]:
        """The numbers as text, of 6 digits."""
        wanted = [
            str(raw) if numbers is None else _text(numbers.tolist())
            for raw, numbers in zip(targets, map(self._numbers, targets), strict=True)
        ]
        return wanted, [_text(answer.values) for answer in answers]

    def aligned(self, targets: Sequence[Any], answers: Sequence[Regression]) -> dict[str, list[list[Pair]]]:
        """Each row's numbers beside those that were answered, as text."""
        return {"values": super().aligned(targets, answers)["rows"]}

    def describe(self) -> str:
        """What counts as right."""
        return "right within " + ", ".join(f"{tolerance:g}" for tolerance in self.scale.tolerances)


def _text(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.6g}" for number in numbers)
