"""Texts written unit by unit: the counterpart of `seqpipe.heads.attention.AttentionHead`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.generated_text import GeneratedText, concatenated
from seqpipe.answers.generating import copied, generated
from seqpipe.core.input import Segment
from seqpipe.decoding.generated import Generated
from seqpipe.runtime.arrays import log_softmax
from seqpipe.runtime.ctc_prefixes import CTCPrefixes
from seqpipe.runtime.location import Location
from seqpipe.runtime.search import SearchOptions, beam_search, write_greedily
from seqpipe.runtime.session import GraphSession
from seqpipe.runtime.units import load_written_units
from seqpipe.text.bidi import logical_text
from seqpipe.text.vocabulary import UNKNOWN

ROWS = 32
"""That are written side by side."""
Output = NDArray[np.float32]
"""Encoded steps of a row, ``[T, D]``."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for a row; see `seqpipe.heads.decoded_text.DecodedText`.

    Attributes:
        hypotheses: the best ones, best first.
        attended: for each label of each the encoded step that got most attention; empty unless words are copied.
        steps: encoded ones of the row.
    """

    hypotheses: list[Generated]
    attended: list[list[int]]
    steps: int


class Writing:
    """Rows on which a decoder works; see `seqpipe.runtime.search.Continuation`.

    Args:
        graphs: ``start`` and ``step``, as `AttentionHead.further_graphs` says.
        outputs: of the pipeline's graph for each row, ``[T, D]``.

    Attributes:
        lengths: of the rows.
        ctc: log-probabilities by CTC ``[B, T, V]``, if there is such a loss.
    """

    def __init__(self, graphs: Mapping[str, GraphSession], outputs: Sequence[Output]) -> None:
        self.rows = len(outputs)
        self.lengths = np.array([len(row) for row in outputs], np.int64)
        encoded = np.zeros((self.rows, max(1, int(self.lengths.max())), outputs[0].shape[1]), np.float32)
        for place, row in enumerate(outputs):
            encoded[place, : len(row)] = row
        begun = graphs["start"]({"encoded": encoded, "lengths": self.lengths})
        self.ctc = begun.pop("ctc", None)
        self._step = graphs["step"]
        self._states = [name.removeprefix("next_") for name in self._following()]
        self._given = {**begun, "lengths": self.lengths}

    def _following(self) -> list[str]:
        return [each.name for each in self._step.outputs if each.name.startswith("next_")]

    def step(self, last: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float32]]:
        """See `seqpipe.runtime.search.Continuation.step`."""
        found = self._step({**self._given, "last": last})
        self._given.update({name: found[f"next_{name}"] for name in self._states})
        return found["logits"], found["normalizer"].astype(np.float64), found["attention"]

    def choose(self, rows: NDArray[np.int64], origins: NDArray[np.int64]) -> None:
        """See `seqpipe.runtime.search.Continuation.choose`."""
        all_rows = np.array_equal(rows, np.arange(len(self._given["lengths"])))
        for name, values in self._given.items():
            if name in self._states:
                self._given[name] = values[rows[:, None], origins]
            elif not all_rows:
                self._given[name] = values[rows]


class AttentionDecoder:
    """Greedy and beam search, by CTC too where the head has such a loss.

    Args:
        options: of the head.
        assets: folder of its units; those of the features lie beside it.
        decoding: options of decoding.
        temperature: of the probabilities that are told.

    Raises:
        ConfigError: an option of decoding asks for what an exported model can't do.
    """

    answer_type = GeneratedText

    def __init__(
        self, options: Mapping[str, Any], assets: Path, decoding: Mapping[str, Any], temperature: float
    ) -> None:
        self.search = SearchOptions.of(decoding)
        self.units = load_written_units(options, assets)
        self.base_direction, self.copy_unknown = options["base_direction"], options["copy_unknown"]
        self.temperature = temperature
        self._graphs: Mapping[str, GraphSession] = {}
        self._rows = ROWS

    def use(self, graphs: Mapping[str, GraphSession], *, one_by_one: bool) -> None:
        """See `seqpipe.runtime.heads.RunsGraphs`."""
        self._graphs, self._rows = graphs, 1 if one_by_one else ROWS

    @property
    def end(self) -> int:
        """The label that ends a text, and stands before its first unit."""
        return len(self.units)

    def decode(self, outputs: Sequence[Output]) -> list[Written]:
        """The best texts of each row ``[T, D]``."""
        found: list[Any] = [None] * len(outputs)
        order = sorted(range(len(outputs)), key=lambda place: len(outputs[place]))
        for start in range(0, len(order), self._rows):
            places = order[start : start + self._rows]
            for place, written in zip(places, self._decoded([outputs[each] for each in places]), strict=True):
                found[place] = written
        return found

    def _decoded(self, outputs: Sequence[Output]) -> list[Written]:
        found = self._searched(outputs, self.search)
        owners = [place for place, row in enumerate(found) for _ in row]
        labels = [each.labels for row in found for each in row]
        if self.temperature != 1.0:
            told = iter(self._log_probabilities([outputs[each] for each in owners], labels))
            found = [[replace(each, log_probability=next(told)) for each in row] for row in found]
        attended: list[list[list[int]]] = [[] for _ in outputs]
        if self.copy_unknown and any(UNKNOWN in row for row in labels):
            for owner, places in zip(owners, self._attended([outputs[each] for each in owners], labels), strict=True):
                attended[owner].append(places)
        return [Written(row, places, len(own)) for row, places, own in zip(found, attended, outputs, strict=True)]

    def _searched(self, outputs: Sequence[Output], options: SearchOptions) -> list[list[Generated]]:
        writing = Writing(self._graphs, outputs)
        if options.method == "greedy":
            return write_greedily(writing, writing.lengths, self.end, options)
        prefixes = CTCPrefixes(writing.ctc, writing.lengths) if options.ctc_weight and writing.ctc is not None else None
        found = beam_search(writing, writing.lengths, self.end, options, prefixes)
        if impossible := [place for place, row in enumerate(found) if not row]:
            # By CTC nothing of the length that is asked for fits into these rows' steps.
            alone = self._searched([outputs[place] for place in impossible], replace(options, ctc_weight=0.0))
            for place, row in zip(impossible, alone, strict=True):
                found[place] = row
        return found

    # What is known of given labels

    def _forced(
        self, outputs: Sequence[Output], labels: Sequence[Sequence[int]]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]:
        """Step by step: logits ``[N, V]``, attention ``[N, T]`` and the label that is given then ``[N]``.

        Behind the labels of a row comes the end, again and again.
        """
        steps = max(map(len, labels)) + 1
        given = np.full((len(labels), steps), self.end)
        for place, row in enumerate(labels):
            given[place, : len(row)] = row
        writing = Writing(self._graphs, outputs)
        last = np.full(len(labels), self.end)
        for step in range(steps):
            logits, _, attention = writing.step(last[:, None])
            last = given[:, step]
            yield logits[:, 0], attention[:, 0], last

    def _log_probabilities(self, outputs: Sequence[Output], labels: Sequence[Sequence[int]]) -> list[float]:
        """Of labels and end, at the head's temperature."""
        sums, every = np.zeros(len(labels)), np.arange(len(labels))
        for step, (logits, _, own) in enumerate(self._forced(outputs, labels)):
            told = log_softmax(logits / np.float32(self.temperature))[every, own]
            sums += np.where([step <= len(row) for row in labels], told.astype(np.float64), 0.0)
        found: list[float] = sums.tolist()
        return found

    def _attended(self, outputs: Sequence[Output], labels: Sequence[Sequence[int]]) -> list[list[int]]:
        """The step that each label and the end give most attention to."""
        steps = np.stack([weights.argmax(axis=1) for _, weights, _ in self._forced(outputs, labels)], axis=1)
        return [row[: len(own) + 1].tolist() for row, own in zip(steps, labels, strict=True)]

    def distributions(self, output: Output, labels: Sequence[int]) -> NDArray[np.float32]:
        """See `seqpipe.runtime.heads.RunsGraphs`."""
        return log_softmax(np.concatenate([logits for logits, _, _ in self._forced([output], [labels])]))

    # Answers

    def answer(self, row_id: str, hypothesis: Written, location: Location) -> GeneratedText:
        """What was written as an answer."""

        def text_of(labels: Sequence[int], attended: Sequence[int]) -> str:
            found = copied(labels, attended, location.items, hypothesis.steps, self.units)
            return found if found is not None else self._read(self.units.decode(labels))

        return generated(row_id, hypothesis.hypotheses, hypothesis.attended, text_of, location.truncated)

    def _read(self, text: str) -> str:
        return text if self.base_direction is None else logical_text(text, self.base_direction)

    def concatenate(self, row_id: str, parts: Sequence[tuple[Segment, GeneratedText]]) -> GeneratedText:
        """What was written for the parts of a text as the whole's; see `concatenated`."""
        return concatenated(row_id, [answer for _, answer in parts])
