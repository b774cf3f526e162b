"""Reading and preparing inputs ahead of the model, in their order, by threads or by processes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch
from torch import Tensor

from seqpipe.answers.failure import Failure
from seqpipe.core.chain import FeatureChain
from seqpipe.core.input import Segment
from seqpipe.core.warning import Warnings, collecting_warnings
from seqpipe.errors import InputError, decoding
from seqpipe.inference.settings import LIMITS
from seqpipe.inference.slot import Pause, Shown, Slot, Unit, make_slot
from seqpipe.inference.workers import Workers

GROUP = 8
"""Inputs that a worker is handed at once: one by one, handing over would cost as much as reading a short file."""
VALUE_GROUP = 64
"""The same of what is in memory already, as texts, each of which takes a tenth of a millisecond."""


Outcome = Tensor | list[Segment] | InputError
Found = tuple[Outcome, Warnings]
"""What became of an input, and what is odd about it."""


class Preparation:
    """Prepares inputs; it travels to processes.

    Args:
        features: of the pipeline.
        max_length: longer inputs are refused; in the features' measure.
        max_segment: inputs that are longer are split, where the reader can split them; None splits none.
        whole: inputs of up to so many segments stay whole all the same.
    """

    def __init__(
        self, features: FeatureChain, *, max_length: float, max_segment: float | None, whole: float = 1.0
    ) -> None:
        self.features, self.max_length = features, max_length
        self.max_segment, self.whole = max_segment, whole

    @property
    def reads_files(self) -> bool:
        """Whether inputs are files, whose length their headers tell."""
        return bool(self.features.reader.suffixes)

    def __call__(self, raws: list[Any]) -> tuple[list[Found], float]:
        """What becomes of each input, and the seconds that it took."""
        started = time.perf_counter()
        reader = self.features.reader
        outcomes: list[Found] = []
        # Segments are of one input: it is opened once for all.
        for together in [raws] if isinstance(raws[0], Segment) else [[raw] for raw in raws]:
            with torch.inference_mode(), reader.opened():
                for raw in together:
                    with collecting_warnings() as warnings:
                        outcome = self._prepare(raw)
                    outcomes.append((outcome, warnings))
        return outcomes, time.perf_counter() - started

    def _prepare(self, raw: Any) -> Outcome:
        """An input's segments if it is split, else what the features make of it.

        A file's length is looked at first, since it may not fit into memory. To measure what is in memory, a text comes
        apart into tokens too, and once is enough.
        """
        try:
            with decoding(Shown(raw), "an input"):  # of a stage of the user's own, whatever it raises
                return self._read(raw)
        except InputError as error:
            return error

    def _read(self, raw: Any) -> Tensor | list[Segment]:
        is_segment = isinstance(raw, Segment)
        length = self._check_length(self.features.length(raw)) if self.reads_files and not is_segment else None
        if self.max_segment is not None and not is_segment:
            is_short = length is not None and length <= self.whole * self.max_segment
            segments = None if is_short else self.features.reader.split(raw, self.max_segment)
            if segments is not None:
                if not self.reads_files:
                    self._check_length(int(segments[-1].end))
                return segments
        prepared: Tensor = self.features.prepare(raw.raw if is_segment else raw, None)
        if not self.reads_files:
            self._check_length(len(prepared))
        return prepared

    def _check_length(self, length: int) -> float:
        measure = self.features.measure
        amount = measure.amount(length)
        if amount > self.max_length:
            raise InputError(
                "too long",
                f"is {amount:.0f} {measure.name}s long{measure.scaled}; {self.max_length:.10g} are allowed "
                f"({LIMITS[measure.limit]}, {measure.limit})",
            )
        return amount


class Reader:
    """Inputs in, units out, in order; a few groups are read ahead.

    Args:
        preparation: what is done to each.
        workers: who does it.
        columns: of an input's source, those that its answer depends on.

    Attributes:
        seconds: spent on reading and preparing so far, summed over the workers.
    """

    def __init__(self, preparation: Preparation, workers: Workers, columns: Sequence[str] = ()) -> None:
        self.preparation, self.workers, self.columns = preparation, workers, columns
        self.seconds = 0.0
        self.group = GROUP if preparation.reads_files else VALUE_GROUP

    def read(self, inputs: Iterable[Any]) -> Iterator[tuple[Slot, Unit | None, bool] | Pause]:
        """For each input its slot with each of its units, and whether that is the last; `Pause` comes through."""
        pending: deque[tuple[list[Slot], Future[Any] | None]] = deque()
        group: list[Slot] = []
        for number, given in enumerate(inputs, 1):
            is_pause = isinstance(given, Pause)
            if not is_pause:
                reads_files = self.preparation.reads_files
                group.append(make_slot(given, number, reads_files=reads_files, columns=self.columns))
            if is_pause or len(group) == self.group:
                self._submit(group, pending)
                group = []
            while pending and (is_pause or len(pending) > 2 * self.workers.count):
                yield from self._received(*pending.popleft())
            if is_pause:
                yield given
        self._submit(group, pending)
        while pending:
            yield from self._received(*pending.popleft())

    def _submit(self, slots: list[Slot], pending: deque[tuple[list[Slot], Future[Any] | None]]) -> None:
        if slots:
            raws = [slot.raw for slot in slots if slot.failure is None]
            pending.append((slots, self.workers.submit(raws) if raws else None))

    def _received(self, slots: list[Slot], future: Future[Any] | None) -> Iterator[tuple[Slot, Unit | None, bool]]:
        outcomes = iter(self._outcomes([slot for slot in slots if slot.failure is None], future))
        for slot in slots:
            outcome, warnings = next(outcomes) if slot.failure is None else (None, [])
            slot.warn(warnings)
            if isinstance(outcome, list):
                yield from self._segments(slot, outcome)
            elif isinstance(outcome, InputError):
                yield self._failed(slot, outcome)
            elif outcome is None:
                yield slot, None, True
            else:
                slot.seconds = self.preparation.features.measure.amount(len(outcome))
                yield slot, Unit(slot, slot.raw, outcome), True

    def _segments(self, slot: Slot, segments: list[Segment]) -> Iterator[tuple[Slot, Unit | None, bool]]:
        slot.seconds = segments[-1].end - segments[0].start
        # In groups that depend on the input alone, since what is read may depend on what was read before it.
        left = deque(segments[at : at + GROUP] for at in range(0, len(segments), GROUP))
        ahead: deque[tuple[list[Segment], Future[Any]]] = deque()
        while left or ahead:
            while left and len(ahead) <= self.workers.count:
                group = left.popleft()
                ahead.append((group, self.workers.submit(list(group))))
            group, future = ahead.popleft()
            for segment, (outcome, warnings) in zip(group, self._group(group, future), strict=True):
                slot.warn(warnings)
                if isinstance(outcome, InputError):
                    for _, further in ahead:
                        further.cancel()
                    yield self._failed(slot, outcome)
                    return
                if isinstance(outcome, list):
                    raise TypeError("a segment of an input was cut again")
                yield slot, Unit(slot, segment.raw, outcome, segment), not (left or ahead) and segment is segments[-1]

    def _group(self, group: list[Segment], future: Future[Any]) -> list[Found]:
        return self._taken(future) or self._taken(self.workers.submit(group)) or [_crashed()] * len(group)

    def _taken(self, future: Future[Any]) -> list[Found] | None:
        """What a worker has made; None, and other processes in its place, if it died."""
        try:
            outcomes, seconds = future.result()
        except BrokenProcessPool:
            self.workers.renew()
            return None
        self.seconds += seconds
        return list(outcomes)

    def _failed(self, slot: Slot, error: InputError) -> tuple[Slot, None, bool]:
        # What is refused by its measure, or killed a process, doesn't know its own name.
        nameless = error.kind in ("too long", "crashed")
        message = f"{slot.where or slot.id}: {error}" if slot.where or nameless else str(error)
        slot.failure = Failure(slot.id, error.kind, message)
        return slot, None, True

    def _outcomes(self, slots: list[Slot], future: Future[Any] | None) -> list[Found]:
        if future is None:
            return []
        outcomes = self._taken(future)
        if outcomes is None:
            outcomes = []
            for slot in slots:  # once more, with no other input in the same process: what kills it now is to blame
                self.workers.renew()
                outcomes += self._taken(self.workers.submit([slot.raw])) or [_crashed()]
        return outcomes


def _crashed() -> Found:
    return InputError("crashed", "the process that read it died, twice"), []
