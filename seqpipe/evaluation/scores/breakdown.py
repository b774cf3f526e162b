"""Where a run errs: scores of parts of the rows, and whether its confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.cell import cell_text
from seqpipe.data.spans import span_columns
from seqpipe.evaluation.scores.bootstrap import grouped, score_intervals
from seqpipe.evaluation.scores.evaluate import Evaluation
from seqpipe.metrics import calibration

MAX_VALUES, MAX_NUMBERS = 40, 12
"""A column with more values than this says little about each; one with more numbers is cut into ranges of them."""
BINS, LEAST_ROWS = 5, 8
"""Ranges of numbers, and the rows that each holds at least."""


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
    """Scores of the rows with each value of a column, for every column with few values, and for ranges of numbers.

    Numbers come in their order, other values from the worst score to the best. A column that says nothing but how long
    the input is (its number of samples) is left to `by_length`, and one of lists (a tag a word) is passed over.
    """
    config = evaluation.pipeline.recipe.data
    left_out = {config.input, config.id, *(name for name, _ in span_columns(config))}
    lengths = _lengths(evaluation)
    found = {}
    for name in evaluation.rows[0].columns:
        if any(isinstance(row.columns.get(name), (list, tuple)) for row in evaluation.rows):
            continue  # a value a word says nothing about its row
        values = [_shown(row.columns.get(name)) for row in evaluation.rows]
        different = sorted(set(values))
        if name in left_out or len(different) < 2:
            continue
        numbers = _numbers(values)
        if numbers is not None and len(different) > MAX_NUMBERS:
            if len(numbers) < 3 or np.std(lengths) == 0 or np.corrcoef(numbers, lengths)[0, 1] < 0.999:
                found[name] = _ranges(evaluation, numbers)
        elif len(different) <= min(MAX_VALUES, len(values) / 2):
            found[name] = _values(evaluation, values, numeric=numbers is not None)
    return {name: slices for name, slices in found.items() if slices}


def by_length(evaluation: Evaluation) -> list[Slice]:
    """Scores by length of the input, in ranges of as many rows each, from the shortest to the longest."""
    unit = evaluation.pipeline.features.measure.suffix
    return _ranges(evaluation, _lengths(evaluation), unit)


def _lengths(evaluation: Evaluation) -> NDArray[np.float64]:
    features = evaluation.pipeline.features
    return np.array([features.measure.amount(features.length(row.input)) for row in evaluation.rows])


def _shown(value: object) -> str:
    return cell_text(value) or "(none)"


def _numbers(values: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _values(evaluation: Evaluation, values: Sequence[str], *, numeric: bool) -> list[Slice]:
    column = np.array(values)
    slices = [_slice(evaluation, value, column == value) for value in sorted(set(values))]
    if numeric:
        return sorted(slices, key=lambda item: float(item.label))
    main = evaluation.metric.main
    lower_is_better = evaluation.metric.kinds[main].lower_is_better
    return sorted(slices, key=lambda item: item.scores[main], reverse=lower_is_better)


def _ranges(evaluation: Evaluation, numbers: NDArray[np.float64], unit: str = "") -> list[Slice]:
    bins = min(BINS, max(1, len(numbers) // LEAST_ROWS))
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)))
    if len(edges) < 3:
        return []
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    return [
        _slice(evaluation, f"{_figure(edges[place])} to {_figure(edges[place + 1])}{unit}", places == place)
        for place in range(len(edges) - 1)
        if (places == place).any()
    ]


def _figure(number: float) -> str:
    """Three digits, or all before the point if there are more."""
    return f"{number:.0f}" if abs(number) >= 999.5 else f"{number:.3g}"


def _slice(evaluation: Evaluation, label: str, chosen: NDArray[np.bool_]) -> Slice:
    counts = evaluation.row_counts[chosen]
    groups = evaluation.groups
    if groups is not None:
        groups = [group for group, taken in zip(groups, chosen.tolist(), strict=True) if taken]
        groups = groups if len(set(groups)) > 1 else None  # one speaker's rows: drawn by themselves
    score = evaluation.metric.scores
    return Slice(label, len(counts), score(counts.sum(axis=0)), score_intervals(grouped(counts, groups), score))


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 8) -> list[ConfidenceBin]:
    """Confidence beside the share of rows that are right, in bins of as many rows each.

    After Niculescu-Mizil & Caruana (2005). A confidence is calibrated if the two are equal.
    """
    order = np.argsort(confidences, kind="stable")
    found = []
    for places in np.array_split(order, max(1, min(bins, len(order) // LEAST_ROWS))):
        share = float(np.asarray(right)[places].mean())
        mean = float(np.asarray(confidences)[places].mean())
        found.append(ConfidenceBin(mean, share, wilson_interval(share, len(places)), len(places)))
    return found


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of ``count`` rows (Wilson 1927); unlike a bootstrap's, it has a width at 0 and 1 too."""
    z = 1.959963984540054  # the normal distribution's 97.5 % quantile; importing scipy.stats for it takes a second
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error in per cent: the mean distance of confidence and share right (Naeini et al. 2015).

    In the bins of the heads' score ``ece``, so that the two are the same where they are over the same items; those of
    `reliability` are made to be looked at.
    """
    return calibration.score(calibration.counts(np.asarray(confidences), np.asarray(right, dtype=bool)))["ece"]
