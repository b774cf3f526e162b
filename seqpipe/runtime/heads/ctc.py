"""Connectionist temporal classification: the counterpart of `seqpipe.heads.ctc.CTCHead`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.stitching import stitch
from seqpipe.answers.transcribing import edges_of, transcribe
from seqpipe.answers.transcript import Transcript
from seqpipe.core.input import Segment
from seqpipe.decoding.ctc_hypothesis import BLANK, CTCHypothesis
from seqpipe.errors import ConfigError
from seqpipe.runtime.arrays import log_softmax
from seqpipe.runtime.location import Location
from seqpipe.runtime.units import load_units

Found = tuple[CTCHypothesis, float]


class CTC:
    """Greedy decoding, with the posteriors of labels and of the whole.

    Args:
        options: of the head.
        assets: folder of its units.
        decoding: options of decoding.
        temperature: of the posteriors.

    Raises:
        ConfigError: a search is asked for that isn't greedy.
    """

    answer_type = Transcript

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        if decoding.get("method", "greedy") != "greedy":
            raise ConfigError("decoding.method: an exported model of CTC decodes greedily; set it to greedy")
        self.units, self.base_direction = load_units(assets), options["base_direction"]
        self.penalty, self.temperature = float(decoding.get("blank_penalty", 0.0)), temperature

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> list[Found]:
        """Log-probabilities ``[T, V]`` of each row -> the best labels and their posterior."""
        rows = [self._penalized(row) for row in outputs]
        best = [row.argmax(axis=1) for row in rows]
        tempered = [row if self.temperature == 1.0 else log_softmax(row / self.temperature) for row in rows]
        paths = [best_path(*pair) for pair in zip(tempered, best, strict=True)]
        doubled = [
            row.astype(np.float64)
            if self.temperature == 1.0
            else log_softmax(row.astype(np.float64) / self.temperature)
            for row in rows
        ]
        return list(zip(paths, posteriors(doubled, [path.labels for path in paths]), strict=True))

    def _penalized(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.penalty:
            return row
        row = row.copy()
        row[:, BLANK] -= self.penalty
        return log_softmax(row)

    def answer(self, row_id: str, hypothesis: Found, location: Location) -> Transcript:
        """A hypothesis as an answer."""
        path, confidence = hypothesis
        return transcribe(row_id, path, confidence, location(edges_of(path)), self.units, self.base_direction)

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
