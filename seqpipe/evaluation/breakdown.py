"""Where a run errs: scores of parts of the rows, and whether its confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from seqpipe.evaluation.bootstrap import grouped, score_intervals
from seqpipe.evaluation.evaluate import Evaluation

MOST_VALUES = 40
"""A column with more values than this says little about each."""


@dataclass(frozen=True)
class Slice:
    """Some of the rows.

    Attributes:
        label: what they have in common.
        rows: how many.
        scores: of them alone.
        intervals: 95 %, of each score.
    """

    label: str
    rows: int
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class ConfidenceBin:
    """Rows of similar confidence: the mean of it, and the share of them that is right, with its 95 % interval."""

    confidence: float
    right: float
    interval: tuple[float, float]
    rows: int


def by_column(evaluation: Evaluation) -> dict[str, list[Slice]]:
    """Scores of the rows with each value of a column, for every column with few values.

    Numbers come in their order, other values from the worst score to the best.
    """
    config = evaluation.pipeline.recipe.data
    left_out = {config.input, config.id, config.start, config.end}
    names = [name for name in evaluation.rows[0].columns if name not in left_out]
    found = {}
    for name in names:
        values = ["" if row.columns.get(name) is None else str(row.columns[name]) for row in evaluation.rows]
        different = sorted(set(values))
        if not 2 <= len(different) <= min(MOST_VALUES, len(values) / 2):
            continue
        column = np.array(values)
        slices = {value: _slice(evaluation, value or "(none)", column == value) for value in different}
        try:
            ordered = sorted(different, key=float)
        except ValueError:
            main, kind = evaluation.head.main_score, evaluation.head.score_kinds[evaluation.head.main_score]
            ordered = sorted(different, key=lambda value: slices[value].scores[main], reverse=kind.lower_is_better)
        found[name] = [slices[value] for value in ordered]
    return found


def by_length(evaluation: Evaluation, bins: int = 5) -> list[Slice]:
    """Scores by length of the input, in bins of as many rows each, from the shortest to the longest."""
    features = evaluation.pipeline.features
    lengths = np.array([features.amount(torch.tensor([features.measure(row.input)])) for row in evaluation.rows])
    unit = {"second": "s"}.get(features.unit, f"{features.unit}s")
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, min(bins, max(1, len(lengths) // 8)) + 1)))
    if len(edges) < 3:
        return []
    places = np.clip(np.searchsorted(edges, lengths, side="right") - 1, 0, len(edges) - 2)
    return [
        _slice(evaluation, f"{edges[place]:.3g} to {edges[place + 1]:.3g} {unit}", places == place)
        for place in range(len(edges) - 1)
        if (places == place).any()
    ]


def _slice(evaluation: Evaluation, label: str, chosen: NDArray[np.bool_]) -> Slice:
    counts = evaluation.row_counts[chosen]
    groups = evaluation.groups
    if groups is not None:
        groups = [group for group, taken in zip(groups, chosen.tolist(), strict=True) if taken]
        groups = groups if len(set(groups)) > 1 else None  # one speaker's rows: drawn by themselves
    score = evaluation.head.scores_from_counts
    return Slice(label, len(counts), score(counts.sum(axis=0)), score_intervals(grouped(counts, groups), score))


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 8) -> list[ConfidenceBin]:
    """Confidence beside the share of rows that are right, in bins of as many rows each (Niculescu-Mizil & Caruana 2005).

    A confidence is calibrated if the two are equal. The intervals are Wilson's (1927).
    """
    from scipy.stats import binomtest

    order = np.argsort(confidences, kind="stable")
    found = []
    for places in np.array_split(order, max(1, min(bins, len(order) // 8))):
        hits = int(np.asarray(right)[places].sum())
        ends = binomtest(hits, len(places)).proportion_ci(method="wilson")
        mean = float(np.asarray(confidences)[places].mean())
        found.append(ConfidenceBin(mean, hits / len(places), (float(ends.low), float(ends.high)), len(places)))
    return found


def calibration_error(bins: Sequence[ConfidenceBin]) -> float:
    """Expected calibration error, 0 to 1: the mean distance of confidence and share right (Naeini et al. 2015)."""
    rows = sum(item.rows for item in bins)
    return sum(item.rows * abs(item.confidence - item.right) for item in bins) / rows
