"""``report.html`` of a run: how it was trained, how well it does, and where and why it errs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from seqpipe.core.files import check_place, check_replaced, write_text
from seqpipe.evaluation.report.attention_map import attention_map
from seqpipe.evaluation.report.augmentation import augmented_rows, shown_rows
from seqpipe.evaluation.report.charts import draw_lines, draw_reliability, learning_charts
from seqpipe.evaluation.report.examples import make_examples
from seqpipe.evaluation.report.matrix import draw_confusions
from seqpipe.evaluation.report.page import fill
from seqpipe.evaluation.report.saliency import saliency
from seqpipe.evaluation.scores.breakdown import ConfidenceBin, by_column, by_length, calibration_error, reliability
from seqpipe.evaluation.scores.confusion import confusion_matrix
from seqpipe.evaluation.scores.evaluate import Evaluation, evaluate
from seqpipe.evaluation.scores.item_errors import character_matrix, item_errors
from seqpipe.evaluation.scores.parts import gather, verdicts
from seqpipe.inference.calibration_file import Bin, read_calibration
from seqpipe.inference.predictor import Predictor, load
from seqpipe.metrics.span_errors import KINDS, SpanError
from seqpipe.model_file import model_files
from seqpipe.run_directory import read_log, read_metrics

REPORT = "report.html"
EXAMPLES, CONFUSIONS, SPAN_ERRORS = 12, 15, 40
MAPS, BEST = 6, 8
"""Rows whose attention is drawn, half of them among the best, and the best rows that are shown beside the worst."""
TILES, HEADLINE = 6, 3
"""Scores that have a tile, and those that have a column where rows are broken down; the others stand in one table."""


def write_report(
    run: str | Path,
    data: str | None = None,
    *,
    output: str | Path | None = None,
    group: str | None = None,
    decoding: Mapping[str, Any] | None = None,
    calibrated: bool = True,
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
        calibrated: see `seqpipe.load`.
        device: ``auto``, ``cpu`` or ``cuda``.
        metrics: what ``metrics.json`` will hold; None reads it, if it is there.

    Returns:
        The file.

    Raises:
        ConfigError, DataError, RunError: explained mistakes; see `evaluate`.
        OSError: the file can't be written.
    """
    run = Path(run)
    path = run / REPORT
    if output is not None:
        path = Path(output)
        check_place("--output", path)
    predictor = load(run, decoding=decoding, calibrated=calibrated, device=device)
    pipeline = predictor.pipeline
    recipe, metric = pipeline.recipe, pipeline.head.metric
    evaluation = None
    if data or recipe.data.dev or recipe.data.test:
        evaluation = evaluate(predictor, data, part="dev", group=group)
    if metrics is None:
        metrics = read_metrics(run)
    kinds = list(metric.kinds.items())
    charts = learning_charts(read_log(run), metric.kinds)
    rows = evaluation.rows if evaluation is not None else ()
    check_replaced("--output", [path], [*model_files(run), *(file for row in rows for file in row.files)])
    page = fill(
        "report.html.j2",
        title=run.resolve().name,
        charts=[(chart.title, draw_lines(chart, "step")) for chart in charts],
        facts=_facts(metrics, sum(parameter.numel() for parameter in pipeline.parameters())),
        recipe=recipe.dump(),
        augmented=augmented_rows(pipeline, shown_rows(pipeline, evaluation.rows if evaluation else ())),
        evaluation=evaluation,
        kinds=metric.kinds,
        headline=dict(kinds[:HEADLINE]),
        tiles=dict(kinds[:TILES]),
        main=metric.main,
        calibrated=_calibrated(run, predictor) if calibrated else None,
        **(_findings(evaluation) if evaluation else {}),
    )
    write_text(path, page)
    return path


def _findings(evaluation: Evaluation) -> dict[str, Any]:
    """What the report shows of an evaluation."""
    columns = by_column(evaluation)
    slices = {f"by {name}": found for name, found in columns.items()}
    if lengths := by_length(evaluation):
        slices["by length of the input"] = lengths
    confidences = [prediction.confidence for prediction in evaluation.predictions]
    right = (evaluation.errors == 0).tolist()
    matrix = confusion_matrix(evaluation) or character_matrix(evaluation)
    saliency_by, saliency_rows = saliency(evaluation)
    worst = evaluation.worst(EXAMPLES)
    chosen: Sequence[int] = worst or np.argsort(confidences, kind="stable")[: EXAMPLES // 2].tolist()
    return {
        "slices": slices,
        "scale": _scale(evaluation, slices),
        "confusions": {items: item_errors(evaluation, items, CONFUSIONS) for items in evaluation.aligned},
        "matrix": draw_confusions(matrix) if matrix is not None else None,
        "matrix_of": matrix,
        "span_kinds": Counter(error.kind for _, error in evaluation.span_errors),
        "span_errors": _surest(evaluation)[:SPAN_ERRORS],
        "calibration": [_calibration("rows", confidences, right), *_of_parts(evaluation)],
        "examples": make_examples(evaluation, chosen, list(columns)),
        "best": _best(evaluation),
        "maps": _maps(evaluation),
        "saliency_by": saliency_by,
        "saliency_rows": saliency_rows,
        "wrong": int((evaluation.errors > 0).sum()),
        "all_right": not worst,
        "by_words": {"word_errors", "character_errors"} <= set(evaluation.metric.names),
    }


def _best(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The best rows of a head that writes texts label by label, beside their references."""
    if evaluation.teacher_forced is None:
        return []
    return [
        {
            "id": evaluation.rows[position].id,
            "input": evaluation.pipeline.features.reader.source(evaluation.rows[position].input).text,
            "reference": evaluation.references[position],
            "answer": evaluation.hypotheses[position],
            "confidence": evaluation.predictions[position].confidence,
        }
        for position in evaluation.best(BEST)
    ]


def _maps(evaluation: Evaluation) -> list[tuple[str, bool, str, tuple[Markup, int]]]:
    """Id, whether it is right, answer and map of a few rows."""
    if evaluation.teacher_forced is None:
        return []
    worst = evaluation.worst(MAPS // 2)
    best = [position for position in evaluation.best(MAPS) if position not in worst][: MAPS - len(worst)]
    return [
        (
            evaluation.rows[position].id,
            bool(evaluation.errors[position] == 0),
            evaluation.hypotheses[position],
            found,
        )
        for position in [*best, *worst]
        if (found := attention_map(evaluation, position)) is not None
    ]


def _calibration(items: str, confidences: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """What the report says of confidences."""
    return {
        "items": items,
        "chart": draw_reliability(reliability(confidences, right), items),
        "mean": float(np.mean(confidences)),
        "right": float(np.mean(right)),
        "error": calibration_error(confidences, right),
    }


def _of_parts(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The same of words, spans and the like, where they have confidences of their own."""
    found = gather(evaluation.predictions, verdicts(evaluation))
    return [
        _calibration(kind, parts.confidences.tolist(), parts.right.tolist())
        for kind, parts in found.items()
        if kind != "answers"
    ]


def _calibrated(run: Path, predictor: Predictor) -> dict[str, Any] | None:
    """What ``seqpipe calibrate`` found, and pictures of it; None where confidences are the model's own."""
    found = read_calibration(run)
    fit = found.fit_for(predictor.options.model_dump()) if found is not None else None
    if fit is None:
        return None
    charts = {
        kind: draw_reliability(_bins(own.bins_after), kind, before=_bins(own.bins_before))
        for kind, own in fit.figures.items()
    }
    return {"fit": fit, "charts": charts}


def _bins(bins: Sequence[Bin]) -> list[ConfidenceBin]:
    return [ConfidenceBin(mean, right, (low, high), count) for mean, right, low, high, count in bins]


def _surest(evaluation: Evaluation) -> list[tuple[str, SpanError]]:
    """Wrong spans with the ids of their rows: of each kind in turn one, from the surest row on."""
    order = sorted(evaluation.span_errors, key=lambda item: -evaluation.predictions[item[0]].confidence)
    seen: Counter[str] = Counter()
    ranked = []
    for position, error in order:
        ranked.append((seen[error.kind], KINDS.index(error.kind), position, error))
        seen[error.kind] += 1
    ranked.sort(key=lambda item: item[:3])
    return [(evaluation.rows[position].id, error) for _, _, position, error in ranked]


def _scale(evaluation: Evaluation, slices: Mapping[str, Any]) -> tuple[float, float]:
    """Least and greatest value of the bars of the main score."""
    main = evaluation.metric.main
    ends = [end for found in slices.values() for item in found for end in item.intervals[main] if np.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    if evaluation.metric.kinds[main].lower_is_better:
        low = 0.0
    return low, high if high > low else low + 1.0


def _facts(metrics: Mapping[str, Any], parameters: int) -> dict[str, Any]:
    """How the model came to be, for the page."""
    known = {key: value for key, value in metrics.items() if key not in ("dev", "scoring") and value is not None}
    return {"parameters": parameters, **known}
