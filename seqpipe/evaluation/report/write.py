"""``report.html`` of a run: how it was trained, how well it does, and where and why it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqpipe.errors import ConfigError
from seqpipe.evaluation.breakdown import by_column, by_length, calibration_error, reliability
from seqpipe.evaluation.evaluate import Evaluation, evaluate
from seqpipe.evaluation.report.charts import draw_lines, draw_reliability, learning_charts
from seqpipe.evaluation.report.examples import make_examples
from seqpipe.evaluation.report.page import fill, write_page
from seqpipe.evaluation.run_records import read_log, read_metrics
from seqpipe.inference.predictor import load

REPORT = "report.html"
EXAMPLES, CONFUSIONS = 12, 15


def write_report(
    run: str | Path,
    data: str | None = None,
    *,
    output: str | Path | None = None,
    group: str | None = None,
    decoding: Mapping[str, Any] | None = None,
    device: str = "auto",
    metrics: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run's report: one file without scripts, which needs nothing else.

    Args:
        run: a run directory.
        data: a source to score; None takes the recipe's dev part, else its test part: who looks at single errors of
            test and mends them has tuned on it. A run without either has a report without scores.
        output: where to; ``report.html`` in the run directory when None.
        group: column whose rows are drawn together for the intervals; see `evaluate`.
        decoding: options that replace the recipe's.
        device: ``auto``, ``cpu`` or ``cuda``.
        metrics: what ``metrics.json`` will hold; None reads it, if it is there.

    Returns:
        The file.

    Raises:
        ConfigError, DataError, RunError: explained mistakes; see `evaluate`.
        OSError: the file can't be written.
    """
    run = Path(run)
    predictor = load(run, decoding=decoding, device=device)
    recipe = predictor.pipeline.recipe
    evaluation = None
    if data or recipe.data.dev or recipe.data.test:
        evaluation = evaluate(predictor, data, part="dev", group=group)
    path = Path(output) if output is not None else run / REPORT
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; --output names a file")
    if metrics is None:
        metrics = read_metrics(run)
    kinds = predictor.pipeline.head.score_kinds
    charts = learning_charts(read_log(run), {name: kind.lower_is_better for name, kind in kinds.items()})
    page = fill(
        "report.html.j2",
        title=run.resolve().name,
        charts=[(chart.title, draw_lines(chart, "step")) for chart in charts],
        facts=_facts(metrics, sum(parameter.numel() for parameter in predictor.pipeline.parameters())),
        recipe=recipe.dump(),
        evaluation=evaluation,
        kinds=kinds,
        main=predictor.pipeline.head.main_score,
        **(_findings(evaluation) if evaluation else {}),
    )
    write_page(path, page)
    return path


def _findings(evaluation: Evaluation) -> dict[str, Any]:
    """What the report shows of an evaluation."""
    columns = by_column(evaluation)
    slices = {f"by {name}": found for name, found in columns.items()}
    if lengths := by_length(evaluation):
        slices["by length of the input"] = lengths
    confidences = [prediction.confidence for prediction in evaluation.predictions]
    right = (evaluation.errors == 0).tolist()
    bins = reliability(confidences, right)
    worst = evaluation.worst(EXAMPLES)
    chosen: Sequence[int] = worst or np.argsort(confidences, kind="stable")[: EXAMPLES // 2].tolist()
    return {
        "slices": slices,
        "scale": _scale(evaluation, slices),
        "confusions": {items: evaluation.confusions(items, CONFUSIONS) for items in evaluation.aligned},
        "reliability": draw_reliability(bins),
        "mean_confidence": float(np.mean(confidences)),
        "share_right": float(np.mean(right)),
        "calibration_error": calibration_error(bins),
        "examples": make_examples(evaluation, chosen, list(columns)),
        "wrong": int((evaluation.errors > 0).sum()),
        "all_right": not worst,
    }


def _scale(evaluation: Evaluation, slices: Mapping[str, Any]) -> tuple[float, float]:
    """Least and greatest value of the bars of the main score."""
    main = evaluation.head.main_score
    ends = [end for found in slices.values() for item in found for end in item.intervals[main] if np.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    if evaluation.head.score_kinds[main].lower_is_better:
        low = 0.0
    return low, high if high > low else low + 1.0


def _facts(metrics: Mapping[str, Any], parameters: int) -> dict[str, Any]:
    """How the model came to be, for the page."""
    known = {key: value for key, value in metrics.items() if key not in ("dev", "scoring") and value is not None}
    return {"parameters": parameters, **known}
