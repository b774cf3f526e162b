"""Scores of a run on labelled rows, and where it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, is_there, read_rows, unread_spans
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.heads.error_rates import character_errors, confusions, word_alignment, word_errors
from seqpipe.inference.predictor import Failure, Predictor, load


@dataclass(frozen=True)
class Evaluation:
    """How a run does on a source.

    Attributes:
        source: what was scored.
        scores: of the corpus, in per cent (``wer``, ``cer``).
        counts: ``words`` and ``characters`` of the references, ``rows``, and the edits.
        scoring: how text was normalised before scoring.
        rows: that were scored.
        predictions: one a row.
        references: as compared.
        hypotheses: as compared.
        notices: what should be known about the rows, e.g. references that the vocabulary can't spell.
    """

    source: str
    scores: dict[str, float]
    counts: dict[str, int]
    scoring: str
    rows: Sequence[Row]
    predictions: Sequence[Any]
    references: Sequence[str]
    hypotheses: Sequence[str]
    notices: Sequence[str]

    def worst(self, most: int = 5) -> list[tuple[Row, str]]:
        """The rows with the most word errors, each with its alignment; rows without errors are left out."""
        counted = [
            (word_errors([said], [heard]), index)
            for index, (said, heard) in enumerate(zip(self.references, self.hypotheses, strict=True))
        ]
        edits = [(errors.substitutions + errors.deletions + errors.insertions, index) for errors, index in counted]
        ordered = sorted((item for item in edits if item[0] > 0), key=lambda item: (-item[0], item[1]))
        return [
            (self.rows[index], word_alignment(self.references[index], self.hypotheses[index]))
            for _, index in ordered[:most]
        ]

    def confusions(self, most: int = 10, *, characters: bool = False) -> list[tuple[str, str, int]]:
        """The most frequent errors: (reference, hypothesis, count), "" for what is missing on one side."""
        return confusions(self.references, self.hypotheses, most, characters=characters)

    def to_json(self) -> dict[str, Any]:
        """The scores as one JSON object."""
        scores = {name: round(value, 4) for name, value in self.scores.items()}
        return {**scores, **self.counts, "source": self.source, "scoring": self.scoring}


def evaluate(
    run: str | Path | Predictor,
    data: str | None = None,
    *,
    decoding: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Evaluation:
    """Score a run.

    Args:
        run: a run directory, or a `Predictor`.
        data: a source read as the run's recipe says; None takes the recipe's test part if it is there, else dev.
        decoding: options that replace the recipe's.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        DataError: the source is missing, has no rows, or an input in it can't be used (scores of a part would mislead).
    """
    predictor = run if isinstance(run, Predictor) else load(run, decoding=decoding, device=device)
    pipeline = predictor.pipeline
    source, root = _source(pipeline.recipe, data)
    reads_files = pipeline.features.first.reads_files
    rows = list(read_rows(source, pipeline.recipe.data, reads_files=reads_files, needs_id=False, root=root))
    if not rows:
        raise DataError(f"{source}: holds no rows")
    predictions = list(predictor.predict(rows))
    broken = [item for item in predictions if isinstance(item, Failure)]
    if broken:
        shown = "\n".join(f"  {failure.message}" for failure in broken[:5])
        raise DataError(f"{source}: {len(broken)} of {len(rows)} inputs can't be used:\n{shown}")
    references, hypotheses = pipeline.head.comparable([row.target for row in rows], predictions)
    words, characters = word_errors(references, hypotheses), character_errors(references, hypotheses)
    return Evaluation(
        source=source if root is None else str(root / source),
        scores=pipeline.head.score([row.target for row in rows], predictions),
        counts={
            "rows": len(rows),
            "words": words.total,
            "word_errors": words.substitutions + words.deletions + words.insertions,
            "characters": characters.total,
            "character_errors": characters.substitutions + characters.deletions + characters.insertions,
        },
        scoring=pipeline.head.scoring,
        rows=rows,
        predictions=predictions,
        references=references,
        hypotheses=hypotheses,
        notices=[*_spans(rows[0], pipeline.recipe), *_unspellable(rows, pipeline.head)],
    )


def _source(recipe: Any, data: str | None) -> tuple[str, Path | None]:
    if data is not None:
        return data, None
    root = data_root(recipe.data)
    test, dev = recipe.data.test, recipe.data.dev
    if test and is_there(test, root):
        return test, root
    if dev:
        return dev, root
    raise ConfigError("the run's recipe names neither a test nor a dev part; give --data SOURCE")


def _spans(row: Row, recipe: Any) -> list[str]:
    """Columns of spans that the run doesn't read."""
    message = unread_spans(row, recipe.data)
    return [f"{row.source}: {message}"] if message else []


def _unspellable(rows: Sequence[Row], head: Any) -> list[str]:
    """References that hold what the vocabulary lacks: they are scored, and can't be got right."""
    notices = []
    for row in rows:
        try:
            head.encode_target(row.target)
        except InputError as error:
            notices.append(f"{row.where}: {error}; counted as an error")
    return notices
