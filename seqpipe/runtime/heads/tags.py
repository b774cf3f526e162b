"""Tags of words: the counterpart of `seqpipe.heads.tagger.TaggerHead`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.tagging import Tagging, tagged
from seqpipe.data.batching import plan_batches
from seqpipe.decoding.spans import spans_of
from seqpipe.decoding.tag_path import TagPath, as_bio
from seqpipe.errors import ConfigError
from seqpipe.runtime.arrays import log_softmax, read_arrays
from seqpipe.runtime.crf import Chains, Messages, Potentials
from seqpipe.runtime.heads.classes import read_classes
from seqpipe.runtime.location import Location

MAX_ROWS, MAX_STEPS = 64, 4096
"""Of the chains that are gone through side by side."""


class Tagger:
    """The best tags of every row, with the probabilities of each and of all.

    Args:
        options: of the head.
        assets: folder of its tags, and of the scores of neighbours, which say what the scheme forbids.
        decoding: options of decoding.
        temperature: of the probabilities.

    Raises:
        ConfigError: ``n_best`` is below 1.
    """

    answer_type = Tagging

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        self.names = read_classes(assets).names
        self.is_free = options["decoder"] == "softmax" and options["scheme"] == "none"
        self.marks_spans = options["scheme"] != "none"
        arrays = read_arrays(assets)
        transitions, start, end = (arrays[name].astype(np.float64) for name in ("transitions", "start", "end"))
        self.potentials: Potentials = (transitions, start, end)
        self.answers = [as_bio(name) if self.marks_spans else name for name in self.names]
        # Tags that are answered alike share their probability.
        self.alike = np.array([[float(one == other) for one in self.answers] for other in self.answers])
        self.n_best, self.temperature = decoding["n_best"], temperature
        if not isinstance(self.n_best, int) or self.n_best < 1:
            raise ConfigError(f"decoding.n_best: should be a whole number of at least 1; received {self.n_best!r}")

    def decode(self, outputs: Sequence[NDArray[np.float32]]) -> list[TagPath]:
        """Scores ``[T, K]`` of each row -> its tags."""
        found: list[Any] = [None] * len(outputs)
        lengths = [len(row) for row in outputs]
        for batch in plan_batches(lengths, budget=MAX_STEPS, max_rows=MAX_ROWS) if outputs else ():
            rows = [outputs[place].astype(np.float64) for place in batch]
            for place, path in zip(batch, self._free(rows) if self.is_free else self._chained(rows), strict=True):
                found[place] = path
        return found

    def _free(self, rows: Sequence[NDArray[np.float64]]) -> list[TagPath]:
        """Each tag by itself."""
        best = [row.argmax(axis=1) for row in rows]
        if self.temperature != 1.0:
            rows = [log_softmax(row / self.temperature) for row in rows]
        own = [row[np.arange(len(row)), tags] for row, tags in zip(rows, best, strict=True)]
        others = self._alternatives(Chains(rows, self._tempered()), None) if self.n_best > 1 else [[] for _ in rows]
        return [
            TagPath(self._named(tags), np.exp(np.minimum(logs, 0.0)).tolist(), float(np.exp(logs.sum())), [], further)
            for tags, logs, further in zip(best, own, others, strict=True)
        ]

    def _chained(self, rows: Sequence[NDArray[np.float64]]) -> list[TagPath]:
        """The best sequences."""
        path = Chains(rows, self.potentials).best_paths()  # [T, B]
        if self.temperature != 1.0:
            rows = [row / self.temperature for row in rows]
        chains = Chains(rows, self._tempered())
        messages = chains.messages()
        shares = messages.posteriors(path).tolist()
        others = self._alternatives(chains, messages) if self.n_best > 1 else [[] for _ in rows]
        return [
            self._path(messages, place, path[:length, place], shares[place], others[place])
            for place, length in enumerate(chains.lengths)
        ]

    def _path(
        self, messages: Messages, row: int, tags: NDArray[np.int64], share: float, others: list[tuple[list[str], float]]
    ) -> TagPath:
        marginals = messages.marginals(row) @ self.alike
        confidences = np.minimum(marginals[np.arange(len(tags)), tags], 1.0).tolist()
        named = self._named(tags)
        spans = spans_of(named) if self.marks_spans else []
        sure = messages.span_confidences(row, tags, spans, self.names)
        return TagPath(named, confidences, share, [(*span, own) for span, own in zip(spans, sure, strict=True)], others)

    def _tempered(self) -> Potentials:
        transitions, start, end = self.potentials
        return transitions / self.temperature, start / self.temperature, end / self.temperature

    def _named(self, tags: NDArray[np.int64] | list[int]) -> list[str]:
        return [self.answers[tag] for tag in tags]

    def _alternatives(self, chains: Chains, messages: Messages | None) -> list[list[tuple[list[str], float]]]:
        totals = (messages or chains.messages()).totals.tolist()
        return [
            [(self._named(tags), min(1.0, float(np.exp(score - total)))) for tags, score in paths]
            for paths, total in zip(chains.n_best(self.n_best), totals, strict=True)
        ]

    def answer(self, row_id: str, hypothesis: TagPath, location: Location) -> Tagging:
        """A hypothesis as an answer, with character offsets in the input."""
        return tagged(row_id, hypothesis, location.items, location.text, location.truncated)
