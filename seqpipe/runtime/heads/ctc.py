"""Connectionist temporal classification: the counterpart of `seqpipe.heads.ctc.CTCHead`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.stitching import stitch
from seqpipe.answers.transcribing import edges_of, transcribe, with_alternatives
from seqpipe.answers.transcript import Transcript
from seqpipe.core.input import Segment
from seqpipe.decoding.ctc_hypothesis import BLANK, CTCHypothesis
from seqpipe.decoding.ctc_search import RankedTexts, ranked_texts
from seqpipe.decoding.prefix_scoring import Scoring
from seqpipe.runtime.arrays import log_softmax
from seqpipe.runtime.ctc_options import OF_BEAM, CTCOptions
from seqpipe.runtime.language_models import read_language_model
from seqpipe.runtime.location import Location
from seqpipe.runtime.units import load_units
from seqpipe.text.rules import apply_rules
from seqpipe.text.target_text import read_written

Found = tuple[CTCHypothesis, float] | RankedTexts
MAX_VALUES = 1 << 22
"""Of the emissions that posteriors are computed from side by side."""


class CTC:
    """Greedy decoding, and beam search with language models, lexicons and hot words, with posteriors.

    Args:
        options: of the head.
        assets: folder of its units.
        decoding: options of decoding.
        temperature: of the posteriors.

    Attributes:
        columns: of a row's source that its answer depends on.

    Raises:
        ConfigError: an option of decoding is out of its range, or names a file that a search can't use.
        DataError: a lexicon or a list of hot words can't be read.
    """

    answer_type = Transcript
    of_methods: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(OF_BEAM, ("beam",))

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        self.search = CTCOptions.of(decoding)
        self.columns = self.search.columns
        self.units, self.base_direction = load_units(assets), options["base_direction"]
        self.penalty, self.temperature = float(self.search.blank_penalty), temperature
        rules, direction = options["text"], self.base_direction
        self.scoring = Scoring(
            self.units,
            lambda text: read_written(text, rules, direction),
            lambda text: apply_rules(text, rules),
            read_language_model,
            in_reading_order=direction is None,
        )
        if self.search.method == "beam":
            self.scoring.scorer(self.search.fusion)  # what it names is read once, and before anything is answered

    def decode(
        self, outputs: Sequence[NDArray[np.float32]], columns: Sequence[Mapping[str, Any]] = ()
    ) -> Sequence[Found]:
        """Log-probabilities ``[T, V]`` of each row -> the best labels and their posterior.

        Args:
            outputs: of the rows.
            columns: what their sources say about them, their own hot words among it; none where nobody says.
        """
        rows = [self._penalized(row) for row in outputs]
        doubled = [
            row.astype(np.float64)
            if self.temperature == 1.0
            else log_softmax(row.astype(np.float64) / self.temperature)
            for row in rows
        ]
        if self.search.method == "beam":
            scorer = self.scoring.scorer(self.search.fusion, columns)
            return ranked_texts(
                rows,
                self.search.limits,
                scorer,
                lambda owners, labels: posteriors([doubled[owner] for owner in owners], labels),
                doubled,
            )
        best = [row.argmax(axis=1) for row in rows]
        tempered = [row if self.temperature == 1.0 else log_softmax(row / self.temperature) for row in rows]
        paths = [best_path(*pair) for pair in zip(tempered, best, strict=True)]
        return list(zip(paths, posteriors(doubled, [path.labels for path in paths]), strict=True))

    def _penalized(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.penalty:
            return row
        row = row.copy()
        row[:, BLANK] -= self.penalty
        return log_softmax(row)

    def answer(self, row_id: str, hypothesis: Found, location: Location) -> Transcript:
        """A hypothesis as an answer."""
        path, confidence = hypothesis[:2]
        found = transcribe(row_id, path, confidence, location(edges_of(path)), self.units, self.base_direction)
        if not isinstance(hypothesis, RankedTexts):
            return found
        return with_alternatives(found, hypothesis, self.units, self.base_direction)

    def join(self, row_id: str, parts: Sequence[tuple[Segment, Transcript]]) -> Transcript:
        """See `stitch`."""
        return stitch(row_id, parts, self.units)


def best_path(log_probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> CTCHypothesis:
    """The best label of each step ``[T]``, repeats merged and blanks removed (Graves et al. 2006).

    Args:
        log_probabilities: ``[T, V]``.
        labels: ``[T]``.
    """
    if not len(labels):
        return CTCHypothesis((), (), (), ())
    starts = np.concatenate([[0], np.flatnonzero(labels[1:] != labels[:-1]) + 1])
    stops = np.append(starts[1:], len(labels))
    shares = np.exp(log_probabilities[np.arange(len(labels)), labels]).astype(np.float64)
    sums = np.concatenate([[0.0], shares.cumsum()])
    means = np.minimum((sums[stops] - sums[starts]) / (stops - starts), 1.0)
    kept = labels[starts] != BLANK
    columns = (labels[starts], starts, stops, means)
    return CTCHypothesis(*(tuple(column[kept].tolist()) for column in columns))


def posteriors(rows: Sequence[NDArray[np.float64]], labels: Sequence[Sequence[int]]) -> list[float]:
    """The posterior of each row's labels over all their alignments, exp(-CTC loss), the rows side by side.

    The forward recursion of Graves et al. 2006 over probabilities, scaled to add up to 1 at each step, whose logarithms
    are added up.

    Args:
        rows: log-probabilities ``[T, V]``.
        labels: of each row.
    """
    if not rows:
        return []
    states = 2 * max(map(len, labels)) + 1
    steps = max(map(len, rows))
    if len(rows) > 1 and len(rows) * steps * states > MAX_VALUES:
        half = len(rows) // 2
        return posteriors(rows[:half], labels[:half]) + posteriors(rows[half:], labels[half:])
    path = np.full((len(rows), states), BLANK)  # blanks between, before and behind the labels
    skips = np.zeros((len(rows), states), bool)  # a label may follow another one without a blank
    emitted = np.zeros((steps, len(rows), states))
    for place, (row, wanted) in enumerate(zip(rows, labels, strict=True)):
        path[place, 1 : 2 * len(wanted) : 2] = wanted
        skips[place, 3 : 2 * len(wanted) : 2] = np.diff(wanted) != 0
        used = 2 * len(wanted) + 1
        emitted[: len(row), place, :used] = np.exp(row[:, path[place, :used]])
    ends, lengths = np.array([2 * len(wanted) for wanted in labels]), np.array([len(row) for row in rows])
    everyone = np.arange(len(rows))
    forward = np.zeros((len(rows), 2 + states))  # behind two states that are never entered
    moved = np.zeros((len(rows), states))
    moved[:, :2] = emitted[0, :, :2]
    logs, found = np.zeros(len(rows)), np.zeros(len(rows))
    with np.errstate(divide="ignore"):  # where labels don't fit, which those of a path always do
        for step in range(steps):
            if step:
                moved = (forward[:, 2:] + forward[:, 1:-1] + forward[:, :-2] * skips) * emitted[step]
            # In order, where numpy's sum goes by how many there are: states that a row lacks then change no bit of it.
            total = moved.cumsum(axis=1)[:, -1]
            logs += np.log(total)
            forward[:, 2:] = moved / np.where(total > 0, total, 1.0)[:, None]
            done = lengths == step + 1
            if done.any():
                last = forward[everyone, 2 + ends] + forward[everyone, 1 + ends]
                found[done] = np.minimum(np.exp(logs[done]) * last[done], 1.0)
    return [float(share) for share in found]
