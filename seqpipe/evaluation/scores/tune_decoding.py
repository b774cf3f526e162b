"""Weights of a search that are best on labelled rows: the model runs once, and its output is searched many times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seqpipe.config.plain_yaml import dump_yaml
from seqpipe.config.recipe import override_decoding, with_whole_paths
from seqpipe.core.files import draft_file
from seqpipe.core.head import Encoded, PreparesDecoding, WeighsSearch
from seqpipe.core.metric import score
from seqpipe.core.sequence import PaddedSequence
from seqpipe.core.written import unwritten
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, read_rows
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.inference.predictor import load
from seqpipe.pipeline import Pipeline

NARROWED = 0.3
"""Share of the weights' ranges, around the best so far, that the second half of the trials is drawn from."""
ROWS, STEPS = 64, 14_000
"""Of a batch: rows, and padded feature steps."""


@dataclass(frozen=True)
class Trial:
    """Weights, and how rows score with them."""

    weights: Mapping[str, float]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class DecodingSearch:
    """What was tried.

    Attributes:
        source: of the rows.
        rows: how many.
        decoding: what was given, as absolute paths.
        main: the score that counts, and whether less of it is better.
        trials: in their order; the first is with the weights that were given.
    """

    source: str
    rows: int
    decoding: Mapping[str, Any]
    main: str
    lower_is_better: bool
    trials: Sequence[Trial]

    @property
    def best(self) -> Trial:
        """The best trial; of equal ones the first, and so the weights that were given."""
        return min(self.trials, key=self._worth)

    def _worth(self, trial: Trial) -> float:
        return trial.scores[self.main] if self.lower_is_better else -trial.scores[self.main]

    @property
    def options(self) -> dict[str, Any]:
        """``decoding`` with the best weights."""
        return {**self.decoding, **self.best.weights}

    def write(self, path: Path) -> None:
        """``decoding`` with the best weights and its scores, as YAML."""
        found = {"decoding": self.options, "scores": dict(self.best.scores), "source": self.source, "rows": self.rows}
        with draft_file(path) as file:
            file.write(dump_yaml(found).encode())

    def lines(self) -> Iterator[str]:
        """A table of the trials, the best ones first."""
        names = list(self.trials[0].weights)
        scores = [name for name in self.trials[0].scores][:3]
        yield "".join(f"{name:>18}" for name in ["trial", *names, *scores])
        for number, trial in sorted(enumerate(self.trials, 1), key=lambda item: self._worth(item[1])):
            cells = [
                *(f"{trial.weights[name]:.3f}" for name in names),
                *(f"{trial.scores[name]:.2f}" for name in scores),
            ]
            yield "".join(f"{cell:>18}" for cell in [str(number), *cells])


def tune_decoding(
    run: str | Path,
    data: str | None = None,
    *,
    part: str = "dev",
    decoding: Mapping[str, Any] | None = None,
    trials: int = 30,
    hot_word_weight: bool = False,
    seed: int = 1,
    device: str = "auto",
) -> DecodingSearch:
    """Search the weights that a head's search has and uses: of language model, bonus, hot words, lengths, CTC.

    The first trial has the weights that are given; half of the others are spread evenly over all that can be (Sobol
    points), the rest around the best of these.

    Args:
        run: a run directory.
        data: a source read as the run's recipe says; None takes the recipe's ``part``.
        part: ``dev``, ``test`` or ``train``.
        decoding: options beside the recipe's; ``method`` is ``beam`` unless one is given.
        trials: how many.
        hot_word_weight: whether that is searched too.
        seed: of the points.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the head has no such search, or there is nothing to search; the recipe has no such part.
        DataError: an input can't be used.
    """
    if trials < 1:
        raise ConfigError(f"--trials should be at least 1; received {trials}")
    chosen = unwritten({"method": "beam", **(decoding or {})})
    predictor = load(run, device=device)
    pipeline = predictor.pipeline
    chosen = with_whole_paths(pipeline.recipe, chosen)
    options = override_decoding(pipeline.recipe, chosen)
    if isinstance(pipeline.head, PreparesDecoding):
        pipeline.head.prepare_decoding(options)
    ranges = _searched(pipeline.head, options, hot_word_weight)
    names = list(ranges)
    source, root = (data, None) if data is not None else _part(pipeline, part)
    suffixes = pipeline.features.reader.suffixes
    rows = list(read_rows(source, pipeline.recipe.data, suffixes=suffixes, needs_id=False, root=root))
    if not rows:
        raise DataError(f"{source}: holds no rows")
    batches = encoded_rows(pipeline, rows)
    metric = pipeline.head.metric

    def tried(weights: Mapping[str, float]) -> Trial:
        own = options.model_copy(update=dict(weights))
        answers: dict[int, Any] = {}
        with torch.inference_mode():
            for places, encoded in batches:
                for place, hypothesis in zip(places, pipeline.head.decode(encoded, own), strict=True):
                    location = pipeline.location(rows[place].input, None)
                    answers[place] = pipeline.head.answer(rows[place].id, hypothesis, location)
        ordered = [answers[place] for place in range(len(rows))]
        return Trial(weights, score(metric, [row.target for row in rows], ordered, [row.input for row in rows]))

    done = [tried({name: float(getattr(options, name)) for name in names})]
    kind = metric.kinds[metric.main]
    found = DecodingSearch(
        source if root is None else str(root / source), len(rows), chosen, metric.main, kind.lower_is_better, done
    )
    for number, point in enumerate(_points(len(names), trials - 1, seed)):
        around = found.best.weights if number >= trials // 2 else None
        done.append(tried(_weights(ranges, point, around)))
    return found


def _searched(head: Any, options: Any, hot_word_weight: bool) -> dict[str, tuple[float, float]]:
    """The weights that are in use and searched, each with its range."""
    found = dict(head.search_weights(options)) if isinstance(head, WeighsSearch) else {}
    if hot_word_weight and "hot_word_weight" not in found:
        raise ConfigError("a weight of hot words is searched (--hot-word-weight) without any: give decoding.hot_words")
    if not hot_word_weight:
        found.pop("hot_word_weight", None)
    if not found:
        raise ConfigError("there is no weight to search; give a language model, as decoding.lm=FILE")
    return found


def _points(dimensions: int, count: int, seed: int) -> list[list[float]]:
    """Points of the unit cube."""
    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)
    return [list(map(float, point)) for point in engine.draw(count).tolist()] if count else []


def _weights(
    ranges: Mapping[str, tuple[float, float]], point: Sequence[float], around: Mapping[str, float] | None
) -> dict[str, float]:
    found = {}
    for (name, (low, high)), share in zip(ranges.items(), point, strict=True):
        if around is not None:
            reach = NARROWED * (high - low) / 2
            low, high = max(low, around[name] - reach), min(high, around[name] + reach)
        found[name] = round(low + share * (high - low), 3)
    return found


def _part(pipeline: Pipeline, part: str) -> tuple[str, Path | None]:
    source = getattr(pipeline.recipe.data, part)
    if not source:
        raise ConfigError(f"the run's recipe names no {part} part; give --data SOURCE")
    return source, data_root(pipeline.recipe.data)


def encoded_rows(pipeline: Pipeline, rows: Sequence[Row]) -> list[tuple[list[int], Encoded]]:
    """The rows' encoded steps in batches, with the rows' places."""
    prepared, broken = [], []
    for row in rows:
        try:
            if row.problem is not None:
                raise row.problem
            prepared.append(pipeline.features.prepare(row.input, None))
        except InputError as error:
            broken.append(f"{row.where}: {error}")
    if broken:
        raise DataError("\n".join([f"{len(broken)} of {len(rows)} inputs can't be used:", *broken[:5]]))
    lengths = torch.tensor([len(item) for item in prepared], dtype=torch.int64)
    steps = pipeline.features.output_lengths(lengths).tolist()
    batches = []
    with torch.inference_mode():
        for places in plan_batches(steps, budget=STEPS, max_rows=ROWS):
            encoded = pipeline(PaddedSequence.pad([prepared[place] for place in places]).to(pipeline.device))
            batches.append((places, encoded.of_rows([rows[place].columns for place in places])))
    return batches
