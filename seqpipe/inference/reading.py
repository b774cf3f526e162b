"""Reading and preparing inputs ahead of the model, in their order, by threads or by processes."""

from __future__ import annotations

import hashlib
import json
import reprlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqpipe.answers.failure import Failure
from seqpipe.core.chain import FeatureChain
from seqpipe.core.input import Input, Segment
from seqpipe.core.warning import Warnings, collecting_warnings
from seqpipe.data.rows import Row
from seqpipe.errors import InputError, decoding
from seqpipe.inference.settings import LIMITS
from seqpipe.inference.workers import Workers

GROUP = 8
"""Inputs that a worker is handed at once: one by one, handing over would cost as much as reading a short file."""
VALUE_GROUP = 64
"""The same of what is in memory already, as texts, each of which takes a tenth of a millisecond."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stands in a stream where its source has nothing to give for the moment.

    Attributes:
        closes: a window that is not full is closed, for its answers to come now; otherwise only full ones come.
    """

    closes: bool = True


PAUSE = Pause()
IDLE = Pause(closes=False)


@dataclass(slots=True, eq=False)
class Slot:
    """An input's place among the answers.

    Attributes:
        id: the input's.
        raw: what the features read.
        key: 16 bytes that tell this input from another one: of its id, path and span (or its bytes).
        where: names it in messages.
        failure: if it can't be answered.
        seconds: how much input it is, in the features' unit.
        parts: the predictions of its segments, in order; an input that isn't cut has one, whose segment is None.
        warnings: what is odd about it, each kind once.
    """

    id: str
    raw: Any
    key: bytes
    where: str = ""
    failure: Failure | None = None
    seconds: float = 0.0
    parts: list[tuple[Segment | None, Any]] = field(default_factory=list)
    warnings: Warnings = field(default_factory=list)

    def warn(self, found: Warnings) -> None:
        """Add what was found odd."""
        known = {kind for kind, _ in self.warnings}
        self.warnings += [(kind, message) for kind, message in found if kind not in known]


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """What the model answers as one: an input, or a segment of a long one."""

    slot: Slot
    raw: Any
    prepared: Tensor
    segment: Segment | None = None


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
            with decoding(_shown(raw), "an input"):  # of a stage of the user's own, whatever it raises
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

    Attributes:
        seconds: spent on reading and preparing so far, summed over the workers.
    """

    def __init__(self, preparation: Preparation, workers: Workers) -> None:
        self.preparation, self.workers = preparation, workers
        self.seconds = 0.0
        self.group = GROUP if preparation.reads_files else VALUE_GROUP

    def read(self, inputs: Iterable[Any]) -> Iterator[tuple[Slot, Unit | None, bool] | Pause]:
        """For each input its slot with each of its units, and whether that is the last; `Pause` comes through."""
        pending: deque[tuple[list[Slot], Future[Any] | None]] = deque()
        group: list[Slot] = []
        for number, given in enumerate(inputs, 1):
            is_pause = isinstance(given, Pause)
            if not is_pause:
                group.append(make_slot(given, number, reads_files=self.preparation.reads_files))
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


def _shown(raw: Any) -> str:
    """An input in messages, which have no room for a long one."""
    raw = raw.raw if isinstance(raw, Segment) else raw
    return str(raw) if isinstance(raw, (Input, Path)) else reprlib.repr(raw)


def unbound(inputs: Iterable[Any], features: FeatureChain) -> Iterator[Any]:
    """Inputs of which those that hold several are replaced by these (`Reader.unbind`), their ids behind the whole's."""
    for number, given in enumerate(inputs, 1):
        if isinstance(given, (Pause, Failure)) or (isinstance(given, Row) and given.problem is not None):
            yield given
            continue
        row_id, raw = _identify(given, number, bool(features.reader.suffixes))
        try:
            with decoding(_shown(raw), "an input"), features.reader.opened():
                parts = features.reader.unbind(raw)
        except InputError:  # reading it will say so, in its place
            parts = None
        if parts is None:
            yield given
            continue
        row = given if isinstance(given, Row) else Row(row_id, raw)
        yield from (replace(row, id=row.id + suffix, input=part) for suffix, part in parts)


def make_slot(given: Any, number: int, *, reads_files: bool = True) -> Slot:
    """An input's place; ``number`` names what has no name, as a string that is no path but the text itself."""
    if isinstance(given, Failure):
        return Slot(given.id, None, _digest(given.id, given.kind), failure=given)
    row_id, raw = _identify(given, number, reads_files)
    where = given.where if isinstance(given, Row) and given.source else ""
    slot = Slot(row_id, raw, _digest(row_id, raw), where)
    if isinstance(given, Row) and given.problem is not None:
        slot.failure = Failure(row_id, given.problem.kind, f"{where}: {given.problem}" if where else str(given.problem))
    return slot


def digest_of(slots: Iterable[Slot]) -> str:
    """Tells the inputs of a window from others, and from the same in another order."""
    state = hashlib.blake2b(digest_size=16)
    for slot in slots:
        state.update(slot.key)
    return state.hexdigest()


def _identify(given: Any, number: int, reads_files: bool) -> tuple[str, Any]:
    """An id for what the user gave, and the input in it."""
    if isinstance(given, Row):
        return given.id, given.input
    if isinstance(given, Path) or (isinstance(given, str) and reads_files):
        return str(given), given
    if isinstance(given, Input) and given.name is not None:
        return given.name, given
    return str(number), given


def _digest(row_id: str, raw: Any) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    parts: list[str | bytes] = [row_id]
    if isinstance(raw, Input):
        parts.append(json.dumps(raw.record(), sort_keys=True))
    elif isinstance(raw, (str, bytes, Path)):
        parts.append(raw if isinstance(raw, bytes) else str(raw))
    elif isinstance(raw, (list, tuple)):  # words: the same letters divided otherwise are another input
        parts += [f"{len(raw)} words", *map(str, raw)]
    for part in parts:
        # Names of files may hold any bytes, and a text out of JSON half a surrogate pair.
        value = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        state.update(len(value).to_bytes(8, "little") + value)
    return state.digest()
