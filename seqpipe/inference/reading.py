"""Reading and preparing inputs ahead of the model, in their order, by threads or by processes."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqpipe.answers.failure import Failure
from seqpipe.core.input import FileSpan, Piece
from seqpipe.data.pages.line import PageLine
from seqpipe.data.pages.rows import line_name
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.inference.settings import LIMITS, limit_of
from seqpipe.inference.workers import Workers

GROUP = 8
"""Inputs that a worker is handed at once: one by one, handing over would cost as much as reading a short file."""
TEXT_GROUP = 64
"""The same of texts, each of which takes a tenth of a millisecond."""

WHOLE = 2
"""Pieces' lengths up to which an input stays whole: a seam costs more than what somewhat longer inputs cost a model."""


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
        parts: the predictions of its pieces, in order; an input that isn't cut has one, whose piece is None.
    """

    id: str
    raw: Any
    key: bytes
    where: str = ""
    failure: Failure | None = None
    seconds: float = 0.0
    parts: list[tuple[Piece | None, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """What the model answers as one: an input, or a piece of a long one."""

    slot: Slot
    raw: Any
    prepared: Tensor
    piece: Piece | None = None


Outcome = Tensor | list[Piece] | InputError


class Preparation:
    """Prepares inputs; it travels to processes.

    Args:
        features: of the pipeline.
        longest_piece: inputs that are more than twice as long are cut, where the first stage can cut them; None cuts
            none.
        longest: longer inputs are refused; both in the features' unit.
        piece_tokens: texts of more are parted; None parts none.
    """

    def __init__(
        self, features: Any, *, longest_piece: float | None, longest: float, piece_tokens: int | None = None
    ) -> None:
        self.features, self.longest_piece, self.longest = features, longest_piece, longest
        self.cuts = longest_piece is not None and hasattr(features.first, "pieces")
        self.is_text = features.unit == "token"
        self.piece_tokens = piece_tokens

    def __call__(self, raws: list[Any]) -> tuple[list[Outcome], float]:
        """What becomes of each input, and the seconds that it took."""
        started = time.perf_counter()
        with torch.inference_mode():
            if isinstance(raws[0], Piece):  # of one input: opened once for all
                with self._reading_on():
                    outcomes = [self._prepare(raw) for raw in raws]
            else:
                outcomes = []
                for raw in raws:
                    with self._reading_on():
                        outcomes.append(self._prepare(raw))
        return outcomes, time.perf_counter() - started

    def _reading_on(self) -> AbstractContextManager[None]:
        first = self.features.first
        return first.reading_on() if hasattr(first, "reading_on") else nullcontext()

    def _prepare(self, raw: Any) -> Outcome:
        try:
            prepared: Tensor
            if self.is_text:  # to be measured, a text comes apart into tokens too: once is enough
                if self.piece_tokens is not None and not isinstance(raw, Piece):
                    pieces = self.features.first.text_pieces(raw, longest=self.piece_tokens)
                    if pieces is not None:
                        self._check_length(int(pieces[-1].end))
                        return list(pieces)
                prepared = self.features.prepare(raw.raw if isinstance(raw, Piece) else raw, None)
                self._check_length(len(prepared))
                return prepared
            if not isinstance(raw, Piece):
                length = self._check_length(self.features.measure(raw))
                if self.cuts and length > WHOLE * (self.longest_piece or 0.0):
                    pieces = self.features.first.pieces(raw, longest=self.longest_piece)
                    if pieces is not None:
                        return list(pieces)
            prepared = self.features.prepare(raw.raw if isinstance(raw, Piece) else raw, None)
        except InputError as error:
            return error
        return prepared

    def _check_length(self, measured: int) -> float:
        length: float = self.features.amount(measured)
        if length > self.longest:
            unit = self.features.unit
            scaled = " as scaled by the recipe" if unit == "pixel" else ""
            limit = limit_of(unit)
            raise InputError(
                "too long",
                f"is {length:.0f} {unit}s long{scaled}; {self.longest:.10g} are allowed ({LIMITS[limit]}, {limit})",
            )
        return length


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
        self.group = TEXT_GROUP if preparation.is_text else GROUP

    def read(self, inputs: Iterable[Any]) -> Iterator[tuple[Slot, Unit | None, bool] | Pause]:
        """For each input its slot with each of its units, and whether that is the last; `Pause` comes through."""
        pending: deque[tuple[list[Slot], Future[Any] | None]] = deque()
        group: list[Slot] = []
        for number, given in enumerate(inputs, 1):
            if isinstance(given, Pause):
                self._submit(group, pending)
                group = []
                while pending:
                    yield from self._received(*pending.popleft())
                yield given
                continue
            group.append(make_slot(given, number, is_text=self.preparation.is_text))
            if len(group) == self.group:
                self._submit(group, pending)
                group = []
            while len(pending) > 2 * self.workers.count:
                yield from self._received(*pending.popleft())
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
            outcome = next(outcomes) if slot.failure is None else None
            if isinstance(outcome, list):
                yield from self._pieces(slot, outcome)
            elif isinstance(outcome, InputError):
                yield self._failed(slot, outcome)
            elif outcome is None:
                yield slot, None, True
            else:
                slot.seconds = self.preparation.features.amount(len(outcome))
                yield slot, Unit(slot, slot.raw, outcome), True

    def _pieces(self, slot: Slot, pieces: list[Piece]) -> Iterator[tuple[Slot, Unit | None, bool]]:
        slot.seconds = pieces[-1].end - pieces[0].start
        # In groups that depend on the input alone, since what is read may depend on what was read before it.
        left = deque(pieces[at : at + GROUP] for at in range(0, len(pieces), GROUP))
        ahead: deque[tuple[list[Piece], Future[Any]]] = deque()
        while left or ahead:
            while left and len(ahead) <= self.workers.count:
                group = left.popleft()
                ahead.append((group, self.workers.submit(list(group))))
            group, future = ahead.popleft()
            for piece, outcome in zip(group, self._group(group, future), strict=True):
                if isinstance(outcome, InputError):
                    for _, further in ahead:
                        further.cancel()
                    yield self._failed(slot, outcome)
                    return
                if isinstance(outcome, list):
                    raise TypeError("a piece of an input was cut again")
                yield slot, Unit(slot, piece.raw, outcome, piece), not (left or ahead) and piece is pieces[-1]

    def _group(self, group: list[Piece], future: Future[Any]) -> list[Outcome]:
        for again in (True, False):
            try:
                outcomes, seconds = future.result()
            except BrokenProcessPool:
                self.workers.renew()
                if again:
                    future = self.workers.submit(list(group))
            else:
                self.seconds += seconds
                return list(outcomes)
        return [_crashed()] * len(group)

    def _failed(self, slot: Slot, error: InputError) -> tuple[Slot, None, bool]:
        # What is refused by its measure, or killed a process, doesn't know its own name.
        nameless = error.kind in ("too long", "crashed")
        message = f"{slot.where or slot.id}: {error}" if slot.where or nameless else str(error)
        slot.failure = Failure(slot.id, error.kind, message)
        return slot, None, True

    def _outcomes(self, slots: list[Slot], future: Future[Any] | None) -> list[Outcome]:
        if future is None:
            return []
        try:
            outcomes, seconds = future.result()
        except BrokenProcessPool:
            return [self._alone(slot.raw) for slot in slots]
        self.seconds += seconds
        return list(outcomes)

    def _alone(self, raw: Any) -> Outcome:
        """Once more, with no other input in the same process: what kills it now is to blame."""
        self.workers.renew()
        try:
            (outcome,), seconds = self.workers.submit([raw]).result()
        except BrokenProcessPool:
            self.workers.renew()
            return _crashed()
        self.seconds += seconds
        return outcome


def _crashed() -> InputError:
    return InputError("crashed", "the process that read it died, twice")


def make_slot(given: Any, number: int, *, is_text: bool = False) -> Slot:
    """An input's place; ``number`` names what has no name, as a string that is no path but the text itself."""
    if isinstance(given, Failure):
        return Slot(given.id, None, _digest(given.id, given.kind), failure=given)
    row_id, raw = _identify(given, number, is_text)
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


def _identify(given: Any, number: int, is_text: bool) -> tuple[str, Any]:
    """An id for what the user gave, and the input in it."""
    if isinstance(given, Row):
        return given.id, given.input
    if isinstance(given, Path) or (isinstance(given, str) and not is_text):
        return str(given), given
    if isinstance(given, FileSpan) and isinstance(given.source, Path):
        return str(given.source) if not given.start else f"{given.source}@{given.start:g}", given
    if isinstance(given, PageLine):
        return line_name(str(given.page), given.id), given
    return str(number), given


def _digest(row_id: str, raw: Any) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    parts = [row_id]
    if isinstance(raw, FileSpan):
        parts += [raw.source if isinstance(raw.source, bytes) else str(raw.source), f"{raw.start}-{raw.end}"]  # type: ignore[list-item]
    elif isinstance(raw, PageLine):
        parts += [str(raw.image), f"{raw.baseline} {raw.polygon} {raw.size}"]
    elif isinstance(raw, (str, bytes, Path)):
        parts.append(raw if isinstance(raw, bytes) else str(raw))  # type: ignore[arg-type]
    elif isinstance(raw, (list, tuple)):  # words: the same letters divided otherwise are another input
        parts += [f"{len(raw)} words", *map(str, raw)]
    for part in parts:
        # Names of files may hold any bytes, and a text out of JSON half a surrogate pair.
        value = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        state.update(len(value).to_bytes(8, "little") + value)
    return state.digest()
