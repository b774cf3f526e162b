"""Scores of one class for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.classification import Classification
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind, per_cent
from seqpipe.errors import read_or
from seqpipe.metrics import calibration
from seqpipe.metrics.class_scores import CLASS_SCORES, class_count_names, class_counts, class_scores
from seqpipe.metrics.layout import Layout
from seqpipe.text.classes import Classes, class_name


class ClassificationMetric(BaseMetric):
    """Accuracy, F1, recall and correlation of classes, and how far confidences can be believed.

    Args:
        classes: that answers may have.
    """

    main: ClassVar[str] = "accuracy"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        "accuracy": ScoreKind("accuracy", "rows whose class is right", False, "correct_rows", "rows"),
        **CLASS_SCORES,
        **calibration.kinds("rows"),
    }

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.class_names = classes.names
        self.layout = Layout(
            rows=("rows", "correct_rows"), classes=class_count_names(classes.names), calibration=calibration.names()
        )
        self.names = self.layout.names

    def count(
        self, targets: Sequence[Any], answers: Sequence[Classification], inputs: Sequence[Any] = ()
    ) -> NDArray[np.int64]:
        """Of every row, ``[N, C]``; a target that is none of the classes counts as such."""
        counts = np.zeros((len(targets), len(self.names)), dtype=np.int64)
        for row, wanted, answer in zip(counts, map(self._number, targets), answers, strict=True):
            given = self.classes.require(answer.label)
            right = wanted == given
            row[self.layout["rows"]] = 1, right
            row[self.layout["classes"]] = class_counts(np.array([wanted]), np.array([given]), len(self.classes))
            row[self.layout["calibration"]] = calibration.counts(np.array([answer.confidence]), np.array([right]))
        return counts

    def _number(self, target: Any) -> int:
        """Of the class; K for what is none."""
        return read_or(len(self.classes), lambda raw: self.classes.require(class_name(raw)), target)

    def scores(self, total: NDArray[np.int64]) -> dict[str, float]:
        """In per cent but for ``mcc``."""
        rows, correct = total[self.layout["rows"]].tolist()
        return {
            "accuracy": per_cent(correct, rows),
            **class_scores(total[self.layout["classes"]], len(self.classes)),
            **calibration.score(total[self.layout["calibration"]]),
        }

    def comparable(self, targets: Sequence[Any], answers: Sequence[Classification]) -> tuple[list[str], list[str]]:
        """Names of the classes."""
        return [read_or(str(target), class_name, target) for target in targets], [answer.label for answer in answers]

    def aligned(self, targets: Sequence[Any], answers: Sequence[Classification]) -> dict[str, list[list[Pair]]]:
        """Each row's class beside that which was answered."""
        return {"classes": super().aligned(targets, answers)["rows"]}

    def target_classes(self, target: Any) -> list[str]:
        """The name of the class."""
        return [class_name(target)]

    def describe(self) -> str:
        """By name."""
        return "classes by name"
