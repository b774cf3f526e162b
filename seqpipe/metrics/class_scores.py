"""Scores of classes from sums of counts, so that they can be had of any set of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.metric import ScoreKind, per_cent

CLASS_SCORES: dict[str, ScoreKind] = {
    "macro_f1": ScoreKind("macro F1", "mean of the classes' F1", False),
    "weighted_f1": ScoreKind("weighted F1", "mean of the classes' F1, weighted by their targets", False),
    "uar": ScoreKind("UAR", "unweighted average recall of the classes", False),
    "mcc": ScoreKind("MCC", "Matthews correlation coefficient", False, unit=""),
}


def class_count_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns that `class_counts` gives: of each class its targets, its answers and the right ones.

    The last target column is that of targets which are none of the classes.
    """
    return (
        *(f"target {name}" for name in classes),
        "target, unknown",
        *(f"answer {name}" for name in classes),
        *(f"right {name}" for name in classes),
    )


def class_counts(targets: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts of one row's items, ``[3 K + 1]``.

    Args:
        targets: numbers of classes, K for one that is none of them.
        answers: numbers of classes.
        classes: K.
    """
    return _counts(targets, answers, answers[targets == answers], classes)


def label_counts(targets: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The same of one row that may have several labels, or none, ``[3 K + 1]``.

    Args:
        targets: numbers of labels, K for each that is none of them.
        answers: numbers of labels, each once.
        classes: K.
    """
    return _counts(targets, answers, np.intersect1d(targets, answers), classes)


def _counts(
    targets: NDArray[np.int64], answers: NDArray[np.int64], right: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    sizes = ((targets, classes + 1), (answers, classes), (right, classes))
    return np.concatenate([np.bincount(numbers, minlength=size) for numbers, size in sizes])


def micro_f1(counts: NDArray[np.int64], classes: int) -> float:
    """F1 of all classes' targets and answers together, in per cent; 0 where there are neither."""
    wanted, given, right = counts[: classes + 1], counts[classes + 1 : 2 * classes + 1], counts[2 * classes + 1 :]
    return per_cent(2 * int(right.sum()), int(wanted.sum() + given.sum()))


def class_scores(counts: NDArray[np.int64], classes: int) -> dict[str, float]:
    """The scores of `CLASS_SCORES` from a sum of `class_counts`.

    F1 averages go over classes that have a target or an answer, UAR over those that have a target (as scikit-learn has
    them). Matthews correlation is that of several classes (Gorodkin 2004), -1 to 1, and 0 where it isn't defined. All
    are plain floats: checkpoints hold them, and are read with plain values alone.
    """
    target, unknown = counts[:classes].astype(np.float64), float(counts[classes])
    answer = counts[classes + 1 : 2 * classes + 1].astype(np.float64)
    right = counts[2 * classes + 1 :].astype(np.float64)
    both = target + answer
    f1 = np.divide(2 * right, both, out=np.zeros_like(both), where=both > 0)
    recall = np.divide(right, target, out=np.zeros_like(both), where=target > 0)
    seen, asked = int((both > 0).sum()) + (unknown > 0), int((target > 0).sum()) + (unknown > 0)
    total = float(target.sum()) + unknown
    spread = (total**2 - (target**2).sum() - unknown**2) * (total**2 - (answer**2).sum())
    agreement = right.sum() * total - (target * answer).sum()
    return {
        "macro_f1": 100 * float(f1.sum()) / seen if seen else 0.0,
        "weighted_f1": 100 * float((f1 * target).sum()) / total if total else 0.0,
        "uar": 100 * float(recall.sum()) / asked if asked else 0.0,
        "mcc": float(agreement / np.sqrt(spread)) if spread > 0 else 0.0,
    }
