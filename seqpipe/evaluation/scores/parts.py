"""Parts of answers by kind: how sure the model is of each, and whether it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.answer import Confidences
from seqpipe.core.metric import JudgesParts
from seqpipe.evaluation.scores.evaluate import Evaluation
from seqpipe.metrics import calibration


@dataclass(frozen=True)
class Parts:
    """All parts of one kind, of many answers.

    Attributes:
        rows: position of the row of each part, rising, ``[N]``.
        confidences: ``[N]``, 0 to 1.
        right: ``[N]``.
        features: what else speaks for a part, by name, ``[N]`` each; those that every part has.
    """

    rows: NDArray[np.int64]
    confidences: NDArray[np.float64]
    right: NDArray[np.bool_]
    features: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.rows)

    def of_rows(self, chosen: NDArray[np.bool_]) -> Parts:
        """Those of some rows; ``chosen`` says of each row whether it is among them."""
        kept = chosen[self.rows]
        features = {name: values[kept] for name, values in self.features.items()}
        return Parts(self.rows[kept], self.confidences[kept], self.right[kept], features)

    def given(self) -> Confidences:
        """As an answer has them."""
        return Confidences(self.confidences.tolist(), {name: own.tolist() for name, own in self.features.items()})

    def counts(self, confidences: NDArray[np.float64], rows: int) -> NDArray[np.int64]:
        """Counts of each row for the expected calibration error with other confidences, ``[rows, 3 · 15]``."""
        ends = np.searchsorted(self.rows, np.arange(rows + 1))
        return np.stack(
            [calibration.counts(confidences[start:stop], self.right[start:stop]) for start, stop in pairwise(ends)]
        )


Verdicts = Sequence[Mapping[str, Sequence[bool]]]
"""Of each row, which parts of its answer are right, by kind."""


def verdicts(evaluation: Evaluation) -> Verdicts:
    """What is right in each answer; the answer itself is where its row has no error."""
    metric, answers = evaluation.metric, evaluation.predictions
    whole = [{"answers": [bool(errors == 0)]} for errors in evaluation.errors]
    if not isinstance(metric, JudgesParts):
        return whole
    parts = metric.right_parts([row.target for row in evaluation.rows], answers)
    return [{**one, **other} for one, other in zip(whole, parts, strict=True)]


def gather(answers: Sequence[Any], right: Verdicts) -> dict[str, Parts]:
    """The parts of all answers, by kind; a kind of which there is none is left out.

    Args:
        answers: a row each.
        right: what is right in them, which doesn't depend on how sure they are.
    """
    found: dict[str, list[tuple[int, Confidences, Sequence[bool]]]] = {}
    for position, (answer, verdict) in enumerate(zip(answers, right, strict=True)):
        for kind, given in answer.confidences.items():
            if verdict.get(kind):
                found.setdefault(kind, []).append((position, given, verdict[kind]))
    return {kind: _joined(items) for kind, items in found.items()}


def _joined(items: Sequence[tuple[int, Confidences, Sequence[bool]]]) -> Parts:
    shared = set.intersection(*(set(given.features) for _, given, _ in items))
    return Parts(
        np.repeat([position for position, _, _ in items], [len(right) for _, _, right in items]),
        np.array([value for _, given, _ in items for value in given.values]),
        np.array([value for _, _, right in items for value in right], dtype=bool),
        {name: np.array([value for _, given, _ in items for value in given.features[name]]) for name in sorted(shared)},
    )
