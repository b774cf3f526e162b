"""What ``seqpipe calibrate`` does: fit to a run's answers on labelled rows, and try it on rows that no fit has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.calibration import Calibration, ConfidenceMap
from seqpipe.core.head import Tempered
from seqpipe.core.randomness import RowKey
from seqpipe.data.rows import Row
from seqpipe.data.source import is_there
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.calibration.mapping import fit_map
from seqpipe.evaluation.calibration.temperature import best_temperature, target_likelihoods
from seqpipe.evaluation.experiments.folds import divide
from seqpipe.evaluation.scores.bootstrap import grouped, score_intervals
from seqpipe.evaluation.scores.breakdown import reliability
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.evaluation.scores.parts import Parts, gather, verdicts
from seqpipe.inference.calibration_file import Bin, Figures, Fit, add_fit
from seqpipe.inference.predictor import Predictor, load
from seqpipe.metrics import calibration

FOLDS, LEAST_PARTS = 5, 30
"""Of the figures; and of one kind, right and wrong ones among them, that something can be fitted to."""
RESAMPLES, DRAWS = 500, 100


def calibrate(
    run: str | Path,
    data: str | None = None,
    *,
    part: str = "dev",
    group: str | None = None,
    folds: int = FOLDS,
    decoding: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Fit:
    """Fit a temperature and maps of confidences, and write them into the run directory, which uses them from then on.

    A temperature is fitted to the targets' likelihood (Guo et al. 2017); what stands by itself in an answer (whole
    texts, their words and tokens) has a map besides. Figures are cross-fitted: each row is calibrated by what was
    fitted to the other folds.

    Args:
        run: a run directory.
        data: a source to fit to, of rows that weren't trained on, in the place of the recipe's part.
        part: of the recipe: ``dev`` or ``test``.
        group: column whose rows of one value stay in one fold; None takes the recipe's ``data.group``, else ``group``
            or ``speaker`` if they have ten values or more.
        folds: of the figures.
        decoding: options that replace the recipe's; they have a calibration of their own.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the recipe has no such part, there is no such column, or the head has nothing to fit.
        DataError: the rows are too few, or all answers right or wrong; an input can't be used.
        RunError: there is no model.
    """
    run = Path(run)
    if folds < 2:
        raise ConfigError(f"--folds should be at least 2; received {folds}")
    predictor = load(run, calibrated=False, decoding=decoding, device=device)
    head, config = predictor.pipeline.head, predictor.pipeline.recipe.data
    if not isinstance(head, Tempered):
        raise ConfigError(f"{run}: a {type(head).__name__} has no temperature, so there is nothing to calibrate")
    if data is None:
        _require_part(run, config, part)
    evaluation = evaluate(predictor, data, part=part, group=group)
    rows, column = evaluation.rows, evaluation.group
    if column is None and config.group and all(row.columns.get(config.group) is not None for row in rows):
        column = config.group
    right = verdicts(evaluation)
    before = gather(evaluation.predictions, right)
    notes = _notes(before)
    if len(notes) == len(before):
        raise DataError("\n".join([f"{evaluation.source}: there is too little to calibrate by:", *notes]))
    values = [str(row.columns.get(column)) for row in rows] if column else None
    if values is not None and len(set(values)) < 2:
        column, values = None, None
    folds = min(folds, len(set(values)) if values is not None else len(rows))
    likelihoods = target_likelihoods(predictor.pipeline, rows)

    @cache
    def parts_at(temperature: float) -> dict[str, Parts]:
        return before if temperature == 1.0 else gather(_answers(predictor, rows, temperature), right)

    refused = _refused(before)
    mapped = [kind for kind in before if kind in evaluation.predictions[0].mapped and kind not in refused]
    everywhere = np.ones(len(rows), dtype=bool)
    fitted = _fit(likelihoods, parts_at, mapped, everywhere)
    unseen = {kind: parts.confidences.copy() for kind, parts in before.items()}
    for fold in divide(rows, folds, group=column, seed=0):
        held = np.zeros(len(rows), dtype=bool)
        held[fold.held_out] = True
        other = _fit(likelihoods, parts_at, mapped, ~held)
        for kind, parts in parts_at(other.temperature).items():
            own = parts.of_rows(held)
            unseen[kind][held[parts.rows]] = other.maps.get(kind, ConfidenceMap())(own.given())
    figures = {kind: _figures(parts, unseen[kind], kind in mapped, len(rows), values) for kind, parts in before.items()}
    fit = Fit(predictor.options.model_dump(), evaluation.source, len(rows), column, folds, fitted, figures, notes)
    add_fit(run, fit)
    return fit


def _require_part(run: Path, config: Any, part: str) -> None:
    if part == "train":
        raise ConfigError("--part train: of rows that it was trained on a model is surer than of others; take dev")
    known = [name for name in ("dev", "test") if getattr(config, name)]
    if part not in known:
        has = f"it names {' and '.join(known)}" if known else "it names neither dev nor test"
        raise ConfigError(
            f"--part {part}: the recipe of {run} names no such part to fit to ({has}); or give --data SOURCE"
        )
    if not is_there(getattr(config, part), config):
        raise ConfigError(
            f"--part {part}: {getattr(config, part)} of the recipe of {run} isn't there; or give --data SOURCE"
        )


def _refused(found: Mapping[str, Parts]) -> dict[str, str]:
    """What is too little of a kind of parts, by kind."""
    return {
        kind: f"{len(parts):,} {kind}, {int(parts.right.sum()):,} of them right"
        for kind, parts in found.items()
        if len(parts) < LEAST_PARTS or parts.right.all() or not parts.right.any()
    }


def _notes(found: Mapping[str, Parts]) -> list[str]:
    needed = f"at least {LEAST_PARTS} are needed, right and wrong ones among them; give more rows (--data SOURCE)"
    return [f"{what}: {needed}" for what in _refused(found).values()]


def _answers(predictor: Predictor, rows: Sequence[Row], temperature: float) -> list[Any]:
    head = predictor.pipeline.head
    head.temperature = temperature
    try:
        return list(predictor.predict(rows, unbind=False))
    finally:
        head.temperature = 1.0


def _fit(
    likelihoods: NDArray[np.float64],
    parts_at: Callable[[float], dict[str, Parts]],
    mapped: Sequence[str],
    chosen: NDArray[np.bool_],
) -> Calibration:
    """To some of the rows."""
    temperature = best_temperature(likelihoods[chosen])
    parts = parts_at(temperature)
    return Calibration(temperature, {kind: fit_map(parts[kind].of_rows(chosen)) for kind in mapped})


def _figures(
    parts: Parts, after: NDArray[np.float64], mapped: bool, rows: int, groups: Sequence[str] | None
) -> Figures:
    counts = [parts.counts(confidences, rows) for confidences in (parts.confidences, after)]
    errors = [calibration.score(each.sum(axis=0))["ece"] for each in counts]
    intervals = [
        score_intervals(grouped(each, groups), calibration.score, resamples=RESAMPLES)["ece"] for each in counts
    ]
    return Figures(
        len(parts),
        int(parts.right.sum()),
        mapped,
        errors[0],
        intervals[0],
        errors[1],
        intervals[1],
        _chance(after),
        _bins(parts.confidences, parts.right),
        _bins(after, parts.right),
    )


def _chance(confidences: NDArray[np.float64]) -> float:
    """The calibration error that is left to confidences which are exactly right, since parts are few."""
    generator = RowKey(0, 0, 0).child("calibration").generator()
    drawn = (generator.random(len(confidences)) < confidences for _ in range(DRAWS))
    return float(np.mean([calibration.score(calibration.counts(confidences, right))["ece"] for right in drawn]))


def _bins(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    return [
        (item.confidence, item.right, *item.interval, item.rows)
        for item in reliability(confidences.tolist(), right.tolist())
    ]
