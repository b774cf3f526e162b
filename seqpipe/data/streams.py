"""Long rows part by part: streams that go through the training rows in order, a chunk of each a batch.

This is what truncated back-propagation through time (Williams & Peng 1990; Mikolov et al. 2010) learns from: the
encoder's state is carried from a stream's chunk to its next one, and the gradient isn't.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from seqpipe.core.head import PartsTargets
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.loader import Batch, Carried, Examples
from seqpipe.errors import InputError


class Chunk(NamedTuple):
    """Steps of a row that one batch learns.

    Attributes:
        stream: that it belongs to.
        row: position of the row among the training rows.
        start, stop: steps.
        begins: it goes on from nothing: the row begins here, or the stream does, within a row.
    """

    stream: int
    row: int
    start: int
    stop: int
    begins: bool


def plan_streams(lengths: Sequence[int], *, streams: int, steps: int, first: int | None = None) -> list[list[Chunk]]:
    """Cut rows, one behind the other, into streams of equal length, and these into chunks.

    A chunk holds steps of one row alone: where a row ends, the stream's next chunk begins the next row. Every step of
    every row is in exactly one chunk.

    Args:
        lengths: steps of the rows, each at least 1.
        streams: how many at most; fewer if the rows have fewer steps.
        steps: of a chunk at most.
        first: of each stream's first chunk at most, so that chunks end elsewhere in another epoch; ``steps`` when None.

    Returns:
        Batches: each the next chunk of every stream that hasn't ended.

    Example:
        >>> [[tuple(chunk)[:4] for chunk in batch] for batch in plan_streams([5, 2], streams=2, steps=3)]
        [[(0, 0, 0, 3), (1, 0, 3, 5)], [(1, 1, 0, 2)]]
    """
    total = sum(lengths)
    streams = min(streams, total)
    borders = [total * number // streams for number in range(streams + 1)]
    chunks: list[list[Chunk]] = [[] for _ in range(streams)]
    stream = at = 0  # in steps of all rows
    for row, length in enumerate(lengths):
        start = 0
        while start < length:
            own = chunks[stream]
            most = first if first is not None and not own else steps
            stop = min(length, start + most, start + borders[stream + 1] - at)
            own.append(Chunk(stream, row, start, stop, start == 0 or not own))
            at += stop - start
            start = stop
            if at == borders[stream + 1]:
                stream += 1
    longest = max(map(len, chunks))
    return [[own[number] for own in chunks if number < len(own)] for number in range(longest)]


class StreamLoader:
    """The chunks of each epoch's streams, from where the training stands in it; see `TrainingLoader`.

    A row is prepared when the first stream comes to it, and forgotten when the last one has left it, so that what is
    held is the rows that are being read.

    Args:
        examples: prepares rows.
        lengths: steps of the rows.
        head: parts the targets.
        epoch: asked for the current epoch whenever an epoch begins.
        seed: of the run; where the first chunks end depends on it and on the epoch.
        streams, steps: see `plan_streams`.
    """

    def __init__(
        self,
        examples: Examples,
        lengths: Sequence[int],
        head: PartsTargets,
        epoch: Callable[[], int],
        *,
        seed: int,
        streams: int,
        steps: int,
    ) -> None:
        self.examples, self.lengths, self.head, self.epoch = examples, list(lengths), head, epoch
        self.seed, self.streams, self.steps = seed, streams, steps
        self._handed_out = self._skip = 0
        self._planned: tuple[int, list[list[Chunk]]] = (-1, [])

    def plan(self, epoch: int) -> list[list[Chunk]]:
        """The batches of an epoch."""
        if self._planned[0] != epoch:
            draws = np.random.Generator(np.random.Philox(key=[self.seed, 2**33], counter=[0, 0, 0, epoch]))
            first = int(draws.integers((self.steps + 1) // 2, self.steps + 1))
            self._planned = epoch, plan_streams(self.lengths, streams=self.streams, steps=self.steps, first=first)
        return self._planned[1]

    def __len__(self) -> int:
        return len(self.plan(self.epoch()))

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        plan = self.plan(epoch)
        self._handed_out, self._skip = self._skip, 0
        left = [0] * len(self.lengths)  # chunks that are still to come of each row
        for batch in plan[self._handed_out :]:
            for chunk in batch:
                left[chunk.row] += 1
        held: dict[int, tuple[Tensor | InputError, Tensor | None]] = {}
        for batch in plan[self._handed_out :]:
            self._handed_out += 1
            for chunk in batch:
                if chunk.row not in held:
                    example = self.examples[epoch, chunk.row]
                    held[chunk.row] = example.input, example.target
            yield self._collated(batch, held)
            for chunk in batch:
                left[chunk.row] -= 1
                if not left[chunk.row]:
                    del held[chunk.row]

    def _collated(self, chunks: list[Chunk], held: dict[int, tuple[Tensor | InputError, Tensor | None]]) -> Batch:
        kept: list[Chunk] = []
        inputs: list[Tensor] = []
        targets: list[Tensor | None] = []
        failures: list[tuple[int, InputError]] = []
        for chunk in chunks:
            prepared, target = held[chunk.row]
            if isinstance(prepared, InputError):
                failures.append((chunk.row, prepared))
                continue
            kept.append(chunk)
            inputs.append(prepared[chunk.start : chunk.stop])
            targets.append(None if target is None else self.head.target_of(target, chunk.start, chunk.stop))
        carried = Carried([chunk.stream for chunk in kept], [chunk.begins for chunk in kept])
        rows = [chunk.row for chunk in kept]
        return Batch(PaddedSequence.pad(inputs) if inputs else None, targets, rows, failures, carried)

    def state_dict(self) -> dict[str, int]:
        """Batches of the current epoch that were handed out."""
        return {"handed_out": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the batches of another loader's state, for one epoch."""
        self._skip = state["handed_out"]
