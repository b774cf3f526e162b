"""Scores of a run on labelled rows, and where it errs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.failure import Failure
from seqpipe.checks.labels import disagreements
from seqpipe.core.cell import cell_text
from seqpipe.core.head import Head
from seqpipe.core.metric import Counts, Metric, Pair, SpanMetric
from seqpipe.core.warning import Warnings, collecting_warnings
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, is_there, read_rows
from seqpipe.data.spans import unread_spans
from seqpipe.errors import ConfigError, DataError, InputError, did_you_mean, listed
from seqpipe.evaluation.scores.bootstrap import grouped, score_intervals
from seqpipe.evaluation.scores.teacher_forcing import teacher_forced_scores
from seqpipe.inference.predictor import Predictor, load
from seqpipe.metrics.span_errors import SpanError
from seqpipe.metrics.teacher_forcing import TeacherForcedScores
from seqpipe.pipeline import Pipeline

GROUP_COLUMNS, LEAST_GROUPS = ("group", "speaker"), 10
"""Columns whose rows are drawn together without being asked for, and from how many groups on: intervals from fewer are
too narrow."""


@dataclass(frozen=True)
class Evaluation:
    """How a run does on a source.

    Attributes:
        source: what was scored.
        pipeline: that answered.
        rows: that were scored.
        predictions: one a row.
        row_counts: ``[N, C]``, what each row adds to the scores; columns are named by the metric's `names`.
        group: the column whose rows are drawn together for the intervals; None: each row by itself.
        notices: what should be known about the rows, e.g. references that the vocabulary can't spell.
    """

    source: str
    pipeline: Pipeline
    rows: Sequence[Row]
    predictions: Sequence[Any]
    row_counts: Counts
    group: str | None
    notices: Sequence[str]

    @cached_property
    def metric(self) -> Metric:
        """What scores."""
        return self.pipeline.head.metric

    @property
    def scoring(self) -> str:
        """How answers were made comparable before scoring, in words."""
        return self.metric.describe()

    @cached_property
    def scores(self) -> dict[str, float]:
        """Of the corpus: ``wer``, ``cer`` and ``accuracy`` of a transcriber, in per cent."""
        return self.metric.scores(self.row_counts.sum(axis=0))

    @cached_property
    def counts(self) -> dict[str, int]:
        """What the scores are made of, as far as it is worth reading: ``rows``, ``words``, ``word_errors``, ..."""
        kinds = self.metric.kinds.values()
        named = {"rows", *(name for kind in kinds for name in (kind.part, kind.whole) if name)}
        total = self.row_counts.sum(axis=0).tolist()
        # Counts of a metric that adds up more than whole numbers are floats all.
        whole = (int(value) if float(value).is_integer() else value for value in total)
        return {name: value for name, value in zip(self.metric.names, whole, strict=True) if name in named}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the scores, by bootstrap over rows, or over groups of rows."""
        return score_intervals(grouped(self.row_counts, self.groups), self.metric.scores)

    @cached_property
    def groups(self) -> list[str] | None:
        """The group of each row, if rows are drawn in groups."""
        return None if self.group is None else [cell_text(row.columns.get(self.group)) or "" for row in self.rows]

    @property
    def units(self) -> str:
        """What was drawn for the intervals, in words."""
        return f"{len(self.rows)} rows" if self.groups is None else f"{len(set(self.groups))} values of {self.group}"

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """How wrong each row is, ``[N]``; 0 where all is right."""
        return self.metric.errors(self.row_counts)

    @cached_property
    def compared(self) -> tuple[list[str], list[str]]:
        """References and answers, as text that was compared."""
        return self.metric.comparable([row.target for row in self.rows], self.predictions)

    @property
    def references(self) -> list[str]:
        """As compared."""
        return self.compared[0]

    @property
    def hypotheses(self) -> list[str]:
        """As compared."""
        return self.compared[1]

    @cached_property
    def aligned(self) -> dict[str, list[list[Pair]]]:
        """Each row's items beside what was answered, by kind of item (``words``); the first kind is the one to show."""
        return self.metric.aligned([row.target for row in self.rows], self.predictions)

    def words(self, position: int) -> list[str]:
        """The words of a row, if the head tags them: one for each pair of `aligned`; else none."""
        if not self.pipeline.head.tags_items:
            return []
        return [item.text for item in self.pipeline.features.reader.source(self.rows[position].input).items]

    def text(self, position: int) -> str | None:
        """The input of a row, if it is a text."""
        preview = self.pipeline.features.reader.preview(self.rows[position].input)
        return preview if isinstance(preview, str) else None

    @cached_property
    def span_errors(self) -> list[tuple[int, SpanError]]:
        """What is wrong with the answers' spans, with the position of the row; none where answers have no spans."""
        metric = self.metric
        if not isinstance(metric, SpanMetric):
            return []
        found = enumerate(zip(self.rows, self.predictions, strict=True))
        return [
            (position, error)
            for position, (row, prediction) in found
            for error in metric.span_errors(row.target, prediction)
        ]

    @cached_property
    def teacher_forced(self) -> TeacherForcedScores | None:
        """Perplexity and token accuracy of the references; None of a head that isn't autoregressive."""
        return teacher_forced_scores(self.pipeline, self.rows)

    def best(self, most: int = 5) -> list[int]:
        """Positions of the rows with the fewest errors, the longest reference first among equals."""
        order = sorted(
            range(len(self.rows)), key=lambda index: (self.errors[index], -len(self.references[index]), index)
        )
        return order[:most]

    def worst(self, most: int = 5) -> list[int]:
        """Positions of the rows with the most errors, the surest answer first among equals; none that is right."""
        order = sorted(
            np.flatnonzero(self.errors > 0).tolist(),
            key=lambda index: (-self.errors[index], -self.predictions[index].confidence, index),
        )
        return order[:most]

    def to_json(self) -> dict[str, Any]:
        """The scores as one JSON object; ``<score>_interval`` holds two numbers."""
        record: dict[str, Any] = {}
        for name, value in self.scores.items():
            record[name] = round(value, 4)
            record[f"{name}_interval"] = [round(end, 4) for end in self.intervals[name]]
        if self.teacher_forced is not None:
            record.update({name: round(value, 4) for name, value in self.teacher_forced.scores.items()})
        intervals = f"95 %, bootstrap over {self.units}"
        return {**record, **self.counts, "source": self.source, "scoring": self.scoring, "intervals": intervals}


def evaluate(
    run: str | Path | Predictor,
    data: str | None = None,
    *,
    part: str | None = None,
    group: str | None = None,
    where: Mapping[str, Collection[str]] | None = None,
    decoding: Mapping[str, Any] | None = None,
    calibrated: bool = True,
    device: str = "auto",
) -> Evaluation:
    """Score a run.

    Args:
        run: a run directory, or a `Predictor`.
        data: a source read as the run's recipe says; None takes the recipe's test part if it is there, else dev.
        part: ``dev`` or ``test``, which of the recipe's parts to prefer instead; not with ``data``.
        group: column whose rows are drawn together for the intervals, since they resemble each other (a speaker's);
            None takes a column ``group`` or ``speaker`` if it has ten values or more.
        where: columns with the values that a row must have, as text, to be scored; None scores all.
        decoding: options that replace the recipe's; not with a `Predictor`.
        calibrated: see `seqpipe.load`; not with a `Predictor`.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the recipe names no part to score, there is no such column, or no row has such values.
        DataError: the source is missing, has no rows, or an input in it can't be used (scores of a part would mislead).
    """
    predictor = (
        run if isinstance(run, Predictor) else load(run, decoding=decoding, calibrated=calibrated, device=device)
    )
    pipeline = predictor.pipeline
    source, root = (data, None) if data is not None else _part(pipeline.recipe, part)
    suffixes = pipeline.features.reader.suffixes
    with collecting_warnings() as heard:
        rows = list(read_rows(source, pipeline.recipe.data, suffixes=suffixes, needs_id=False, root=root))
    if not rows:
        raise DataError(f"{source}: holds no rows")
    for column, values in (where or {}).items():
        rows = _having(rows, column, values, source)
    group = _group_column(rows, group, source)
    # Of rows with another number of tags than of words. Before anything is predicted, since that may take hours.
    numbers = [f"{row.where}: {error}" for row, error in disagreements(rows, pipeline)]
    _refuse(numbers, f"{source}: {len(numbers)} of {len(rows)} rows can't be scored")
    with collecting_warnings() as odd:
        predictions = list(predictor.predict(rows, unbind=False))
    broken = [item.message for item in predictions if isinstance(item, Failure)]
    _refuse(broken, f"{source}: {len(broken)} of {len(rows)} inputs can't be used")
    unread = next(filter(None, (unread_spans(row, pipeline.recipe.data) for row in rows)), None)
    return Evaluation(
        source=source if root is None else str(root / source),
        pipeline=pipeline,
        rows=rows,
        predictions=predictions,
        row_counts=pipeline.head.metric.count([row.target for row in rows], predictions, [row.input for row in rows]),
        group=group,
        notices=[
            *predictor.notices,
            *([f"{rows[0].source}: {unread}"] if unread else []),
            *(message for _, message in heard),
            *_by_kind(odd),
            *_unspellable(rows, pipeline.head),
        ],
    )


def _by_kind(warnings: Warnings) -> Iterator[str]:
    """How many inputs are odd in the same way, with the first."""
    counts = Counter(kind for kind, _ in warnings)
    first = dict(reversed(warnings))
    for kind, count in counts.items():
        yield first[kind] + (f" ({kind}: {count:,} inputs)" if count > 1 else "")


def _part(recipe: Any, preferred: str | None) -> tuple[str, Path | None]:
    root = data_root(recipe.data)
    for name in ("dev", "test") if preferred == "dev" else ("test", "dev"):
        part = getattr(recipe.data, name)
        if part and (name == "dev" or is_there(part, recipe.data)):
            return part, root
    raise ConfigError("the run's recipe names neither a test nor a dev part; give --data SOURCE")


def _having(rows: Sequence[Row], column: str, values: Collection[str], source: str) -> list[Row]:
    if all(column not in row.columns for row in rows):
        raise ConfigError(f"{source}: has no column {column} to choose by{did_you_mean(column, rows[0].columns)}")
    found = [row for row in rows if (cell_text(row.columns.get(column)) or "") in values]
    if not found:
        raise ConfigError(f"{source}: no row has {' or '.join(sorted(values))} in its column {column}")
    return found


def _group_column(rows: Sequence[Row], wanted: str | None, source: str) -> str | None:
    if wanted is not None:
        if any(wanted not in row.columns for row in rows):
            raise ConfigError(f"{source}: has no column {wanted} to group by{did_you_mean(wanted, rows[0].columns)}")
        if len({cell_text(row.columns[wanted]) for row in rows}) < 2:
            raise ConfigError(f"{source}: column {wanted} has one value only, and resampling needs two groups or more")
        return wanted
    for name in GROUP_COLUMNS:
        found = {cell_text(row.columns.get(name)) for row in rows}
        if None not in found and len(found) >= LEAST_GROUPS:
            return name
    return None


def _refuse(messages: Sequence[str], what: str) -> None:
    """Raise `DataError` with the first of the messages, a line each, and how many more there are; if there are any."""
    if messages:
        raise DataError("\n".join([f"{what}:", *listed(messages)]))


def _unspellable(rows: Sequence[Row], head: Head) -> list[str]:
    """References that hold what the vocabulary lacks: they are scored, and can't be got right."""
    notices = []
    for row in rows:
        try:
            head.encode_target(row.target)
        except InputError as error:
            notices.append(f"{row.where}: {error}; counted as an error")
    return notices
