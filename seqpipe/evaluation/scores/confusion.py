"""Which class was answered for which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.evaluation.scores.evaluate import Evaluation

MAX_SHOWN = 40
"""Classes of a matrix that can still be read."""
UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of references by answers.

    Attributes:
        items: what was counted: ``classes`` of rows, ``tags`` of words.
        references: R names; the last may stand for all that the model doesn't know.
        answers: K names.
        counts: ``[R, K]``.
        totals: items with each reference, also those with answers that are not shown, ``[R]``.
        left_out: classes that are not shown, since others have more errors.
    """

    items: str
    references: list[str]
    answers: list[str]
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    left_out: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of the items with each reference, ``[R, K]``, 0 to 1."""
        return self.counts / np.maximum(self.totals, 1)[:, None]


def confusion_matrix(evaluation: Evaluation, most: int = MAX_SHOWN) -> ConfusionMatrix | None:
    """The matrix of a head whose answers are classes, else None.

    Args:
        evaluation: of the run.
        most: classes that are shown; of more, those with the most errors.
    """
    names = list(evaluation.metric.class_names)
    if not names:
        return None
    items, rows = next(iter(evaluation.aligned.items()))
    places = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(names) + 1, len(names)), dtype=np.int64)
    for (wanted, answered), count in Counter(pair for pairs in rows for pair in pairs).items():
        counts[places.get(wanted, len(names)), places[answered]] += count
    totals = counts.sum(axis=1)
    known = counts[:-1]
    errors = known.sum(axis=0) + known.sum(axis=1) - 2 * known.diagonal()
    chosen = sorted(np.argsort(-errors, kind="stable")[:most].tolist())
    shown = [*chosen, *([len(names)] if totals[-1] else [])]
    return ConfusionMatrix(
        items,
        [[*names, UNKNOWN][place] for place in shown],
        [names[place] for place in chosen],
        counts[np.ix_(shown, chosen)],
        totals[shown],
        len(names) - len(chosen),
    )
