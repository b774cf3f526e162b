"""Rows through a pipeline and through what was exported of it: how far their answers are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from seqpipe.answers.failure import Failure
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.inference.predictor import Predictor
from seqpipe.runtime.heads import RunsGraphs
from seqpipe.runtime.model import Model

ROWS = 500
"""That are answered by both, the first ones."""
TOLERANCES = {"fp32": (1e-3, 0.1), "int8": (1.0, 1.0)}
"""Of each precision: how far a probability may be off, and how many points of the main score, in whose unit it is."""


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        source: of the rows.
        rows: that were answered.
        largest_difference: of any probability (of values that are none, of any of these).
        largest_confidence_difference: of answers that are the same.
        different_answers: rows whose answers say something else.
        score: the name of the main score.
        model_score: of the pipeline.
        exported_score: of what was exported.
    """

    source: str
    rows: int
    largest_difference: float
    largest_confidence_difference: float
    different_answers: int
    score: str
    model_score: float
    exported_score: float

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {key: round(value, 8) if isinstance(value, float) else value for key, value in asdict(self).items()}

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"{self.rows:,} rows of {self.source}: {self.different_answers:,} answers differ",
            f"largest difference of a probability {self.largest_difference:.2g}, of the confidence in equal answers "
            f"{self.largest_confidence_difference:.2g}",
            f"{self.score}: {self.model_score:.2f} by the run, {self.exported_score:.2f} by the exported model",
        ]

    def excess(self, precision: str, tolerance: float | None) -> str | None:
        """What is beyond the tolerance, in words; None if nothing is.

        Args:
            precision: of what was exported.
            tolerance: points of the main score; that of `TOLERANCES` when None.
        """
        most_share, most_points = TOLERANCES[precision]
        points = abs(self.model_score - self.exported_score)
        allowed = most_points if tolerance is None else tolerance
        if points > allowed:
            return f"{self.score} is {points:.3g} points off, {allowed:g} are allowed"
        if self.largest_difference > most_share:
            return f"a probability is off by {self.largest_difference:.3g}, {most_share:g} is allowed"
        return None


def verify(predictor: Predictor, model: Model, rows: Sequence[Row], source: str) -> Verification:
    """Answer rows by both.

    Args:
        predictor: of the pipeline, without calibration.
        model: what was exported of it, without calibration.
        rows: with targets.
        source: of the rows, for the record.
    """
    pipeline, metric = predictor.pipeline, predictor.pipeline.head.metric
    rows = rows[:ROWS]
    answers = [list(predictor.predict(rows, unbind=False)), list(model.predict(rows))]
    kept = [
        place
        for place, pair in enumerate(zip(*answers, strict=True))
        if not any(isinstance(answer, Failure) for answer in pair)
    ]
    targets, inputs = [rows[place].target for place in kept], [rows[place].input for place in kept]
    ours, theirs = ([side[place] for place in kept] for side in answers)
    scores = [
        metric.scores(metric.count(targets, side, inputs).sum(axis=0))[metric.main] if kept else float("nan")
        for side in (ours, theirs)
    ]
    said = [metric.comparable(targets, side)[1] for side in (ours, theirs)]
    same = [one == other for one, other in zip(*said, strict=True)]
    confidences = [
        abs(one.confidence - other.confidence) for one, other, equal in zip(ours, theirs, same, strict=True) if equal
    ]
    return Verification(
        source,
        len(kept),
        max((_difference(pipeline, model, rows[place]) for place in kept), default=0.0),
        max(confidences, default=0.0),
        same.count(False),
        metric.main,
        *scores,
    )


def _difference(pipeline: Any, model: Model, row: Row) -> float:
    """The largest one of the outputs for a row, of probabilities where they are log-probabilities."""
    output = model.session.run([model.reader.prepare(row.input)])[0]
    with torch.inference_mode():
        encoded = pipeline(PaddedSequence.pad([pipeline.features.prepare(row.input, None)]))
        if isinstance(model.head, RunsGraphs):  # of what is written: each label, given those before it in the target
            labels = _labels(pipeline, row)
            wanted = pipeline.head(encoded, [labels]).values[0].double().numpy()
            found = model.head.distributions(output, labels.tolist()).astype(np.float64)
        else:
            wanted, found = pipeline.head(encoded).values[0].double().numpy(), output.astype(np.float64)
    wanted = wanted[: len(found)]
    if pipeline.head.has_distributions:
        wanted, found = np.exp(wanted), np.exp(found)
    return float(np.abs(wanted - found).max()) if found.size else 0.0


def _labels(pipeline: Any, row: Row) -> torch.Tensor:
    """Of the row's target; none of one that the head can't spell."""
    try:
        found: torch.Tensor = pipeline.head.encode_target(row.target)
        return found
    except InputError:
        return torch.empty(0, dtype=torch.int64)
