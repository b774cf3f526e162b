"""Scores of any number of labels for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.classification import MultiClassification
from seqpipe.core.cell import plain
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind, per_cent
from seqpipe.errors import InputError, read_or
from seqpipe.metrics import calibration
from seqpipe.metrics.class_scores import CLASS_SCORES, class_count_names, class_scores, label_counts, micro_f1
from seqpipe.metrics.layout import Layout
from seqpipe.text.classes import Classes, class_name


class MultiLabelMetric(BaseMetric):
    """F1 over all labels' decisions, rows that are right in all, and how far confidences can be believed.

    Args:
        classes: the labels.
        separator: of a target that is a text; see `label_names`.
    """

    main: ClassVar[str] = "micro_f1"
    kinds: ClassVar[dict[str, ScoreKind]] = {
        "micro_f1": ScoreKind("micro F1", "F1 of all labels together", False),
        "macro_f1": CLASS_SCORES["macro_f1"],
        "weighted_f1": CLASS_SCORES["weighted_f1"],
        "accuracy": ScoreKind("accuracy", "rows whose labels are all right", False, "correct_rows", "rows"),
        **calibration.kinds("decisions"),
    }

    def __init__(self, classes: Classes, separator: str) -> None:
        self.classes, self.separator = classes, separator
        wanted_answered_right = class_count_names(classes.names)
        self.layout = Layout(
            rows=("rows", "correct_rows"), classes=wanted_answered_right, calibration=calibration.names()
        )
        self.names = self.layout.names

    def count(
        self, targets: Sequence[Any], answers: Sequence[MultiClassification], inputs: Sequence[Any] = ()
    ) -> NDArray[np.int64]:
        """Of every row, ``[N, C]``.

        A label that the training rows lack counts as one that was not found; so does a target that is no list of them.
        """
        size = len(self.classes)
        counts = np.zeros((len(targets), len(self.names)), dtype=np.int64)
        for row, raw, answer in zip(counts, targets, answers, strict=True):
            numbers = (self.classes.number(label) for label in self._wanted(raw))
            wanted = np.array([size if number is None else number for number in numbers], dtype=np.int64)
            given = np.array([self.classes.require(label) for label in answer.labels], dtype=np.int64)
            shares = np.zeros(size)
            for item in answer.probabilities:
                shares[self.classes.require(item.label)] = item.probability
            has, says = np.isin(np.arange(size), wanted), np.isin(np.arange(size), given)
            row[self.layout["rows"]] = 1, bool((has == says).all()) and size not in wanted
            row[self.layout["classes"]] = label_counts(wanted, given, size)
            row[self.layout["calibration"]] = calibration.counts(np.where(says, shares, 1 - shares), has == says)
        return counts

    def _wanted(self, raw: Any) -> list[str]:
        """The labels of a target; of what is none, itself."""
        return read_or([repr(raw)], self._labels, raw)

    def _labels(self, raw: Any) -> list[str]:
        return label_names(raw, self.separator)

    def scores(self, total: NDArray[np.int64]) -> dict[str, float]:
        """In per cent."""
        rows, correct = total[self.layout["rows"]].tolist()
        counts = total[self.layout["classes"]]
        of_classes = class_scores(counts, len(self.classes))
        return {
            "micro_f1": micro_f1(counts, len(self.classes)),
            "macro_f1": of_classes["macro_f1"],
            "weighted_f1": of_classes["weighted_f1"],
            "accuracy": per_cent(correct, rows),
            **calibration.score(total[self.layout["calibration"]]),
        }

    def errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Labels too many and too few; ``[N, C]`` -> ``[N]``."""
        of_classes = counts[:, self.layout["classes"]]
        right = of_classes[:, 2 * len(self.classes) + 1 :].sum(axis=1)
        claimed = of_classes.sum(axis=1) - right
        return (claimed - 2 * right).astype(np.float64)

    def comparable(self, targets: Sequence[Any], answers: Sequence[MultiClassification]) -> tuple[list[str], list[str]]:
        """The labels in one order, joined by the separator."""
        rows = self.aligned(targets, answers)["labels"]
        wanted, given = (
            [self.separator.join(pair[side] for pair in row if pair[side]) for row in rows] for side in (0, 1)
        )
        return wanted, given

    def aligned(self, targets: Sequence[Any], answers: Sequence[MultiClassification]) -> dict[str, list[list[Pair]]]:
        """Each row's labels beside those that were answered, in the order of the classes; unknown ones last."""
        rows: list[list[Pair]] = []
        for raw, answer in zip(targets, answers, strict=True):
            wanted, given = dict.fromkeys(self._wanted(raw)), set(answer.labels)
            names = [name for name in self.classes.names if name in wanted or name in given]
            names += [name for name in wanted if self.classes.number(name) is None]
            rows.append([(name if name in wanted else "", name if name in given else "") for name in names])
        return {"labels": rows}

    def target_classes(self, target: Any) -> list[str]:
        """The labels of a target."""
        return read_or([], self._labels, target)

    def describe(self) -> str:
        """By name."""
        return "labels by name"


def label_names(raw: Any, separator: str) -> list[str]:
    """A target as labels, each once: a list of them, or a text of them with a separator between; none if empty.

    Raises:
        InputError: it is neither, or a label is empty.
    """
    raw = plain(raw)
    if isinstance(raw, str):
        raw = raw.split(None if separator.isspace() else separator) if raw.strip() else []
    if not isinstance(raw, (list, tuple)):
        raise InputError("bad value", f"the target should be labels with {separator!r} between; received {raw!r:.80}")
    try:
        return list(dict.fromkeys(class_name(label) for label in raw))
    except InputError:
        raise InputError("bad value", f"a label of the target names no class; received {raw!r:.80}") from None
