"""An input's place among the answers, from what the user gave to what the model answers."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from seqpipe.answers.failure import Failure
from seqpipe.core.input import Input, Segment
from seqpipe.core.warning import Warnings
from seqpipe.data.rows import Row
from seqpipe.errors import InputError, decoding
from seqpipe.inference.alignment_text import AlignmentText


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
        further: what its source says that the answer depends on.
        where: names it in messages.
        target: what the row says should be answered; None where it says nothing.
        failure: if it can't be answered.
        seconds: how much input it is, in the features' unit.
        parts: the predictions of its segments, in order; an input that isn't cut has one, whose segment is None.
        warnings: what is odd about it, each kind once.
        columns: what its source says about it.
    """

    id: str
    raw: Any
    further: Sequence[str] = ()
    where: str = ""
    target: Any = None
    failure: Failure | None = None
    seconds: float = 0.0
    parts: list[tuple[Segment | None, Any]] = field(default_factory=list)
    warnings: Warnings = field(default_factory=list)
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """16 bytes that tell this input from another one: of its id, path and span (or its bytes), and ``further``."""
        return _digest(self.id, self.raw, *self.further)

    def warn(self, found: Warnings) -> None:
        """Add what was found odd."""
        known = {kind for kind, _ in self.warnings}
        self.warnings += [(kind, message) for kind, message in found if kind not in known]


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """What the model answers as one: an input, or a segment of a long one."""

    slot: Slot
    raw: Any
    prepared: Any
    segment: Segment | None = None


def make_slot(given: Any, number: int, *, reads_files: bool = True, columns: Sequence[str] = ()) -> Slot:
    """An input's place.

    Args:
        given: the input.
        number: names what has no name, as a string that is no path but the text itself.
        reads_files: whether strings are paths.
        columns: of its source, those that its answer depends on.
    """
    if isinstance(given, Failure):
        return Slot(given.id, None, (given.kind,), failure=given)
    row_id, raw = _identify(given, number, reads_files)
    if not isinstance(given, Row):
        return Slot(row_id, raw)
    where, said, target = given.where if given.source else "", given.columns, given.target
    text = target.text if isinstance(target, AlignmentText) else None
    further = [] if text is None else [text]
    further += [json.dumps([name, said[name]], default=str) for name in columns if said.get(name) is not None]
    slot = Slot(row_id, raw, further, where, target, columns=said)
    if given.problem is not None:
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
    if isinstance(given, (str, Path)):  # before `Input`: to ask whether something is one takes 50 times as long
        return (str(given) if reads_files or isinstance(given, Path) else str(number)), given
    if isinstance(given, Input) and given.name is not None:
        return given.name, given
    return str(number), given


def _digest(row_id: str, raw: Any, *further: str) -> bytes:
    """Of an input, and of what its answer depends on beside it: the text that it is aligned with, columns."""
    state = hashlib.blake2b(digest_size=16)
    parts: list[str | bytes] = [row_id, *further]
    if isinstance(raw, (str, bytes, Path)):
        parts.append(raw if isinstance(raw, bytes) else str(raw))
    elif isinstance(raw, (list, tuple)):  # words: the same letters divided otherwise are another input
        parts += [f"{len(raw)} words", *map(str, raw)]
    elif isinstance(raw, Input):
        parts.append(json.dumps(raw.record(), sort_keys=True))
    for part in parts:
        # Names of files may hold any bytes, and a text out of JSON half a surrogate pair.
        value = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        state.update(len(value).to_bytes(8, "little") + value)
    return state.digest()


class Unbinds(Protocol):
    """The part of `seqpipe.core.feature.Reader`, and of readers without torch, that parts inputs."""

    @property
    def suffixes(self) -> frozenset[str]:
        """Of the files that it reads; none of one that reads none."""

    @property
    def unbinds(self) -> bool:
        """Whether any of its inputs may hold several."""

    def unbind(self, raw: Any) -> list[tuple[str, Any]] | None:
        """The inputs in one that holds several; None of any other."""

    def opened(self) -> AbstractContextManager[None]:
        """While this lasts, what is read several times in a row may be opened once."""


def unbound(inputs: Iterable[Any], reader: Unbinds) -> Iterator[Any]:
    """Inputs of which those that hold several are replaced by these (`Unbinds`), their ids behind the whole's."""
    if not reader.unbinds:
        yield from inputs
        return
    for number, given in enumerate(inputs, 1):
        if isinstance(given, (Pause, Failure)) or (isinstance(given, Row) and given.problem is not None):
            yield given
            continue
        row_id, raw = _identify(given, number, bool(reader.suffixes))
        try:
            with decoding(Shown(raw), "an input"), reader.opened():
                parts = reader.unbind(raw)
        except InputError:  # reading it will say so, in its place
            parts = None
        if parts is None:
            yield given
            continue
        row = given if isinstance(given, Row) else Row(row_id, raw)
        yield from (replace(row, id=row.id + suffix, input=part) for suffix, part in parts)


@dataclass(slots=True, eq=False)
class Shown:
    """An input in messages, which have no room for a long one; written out where there is a message."""

    raw: Any

    def __str__(self) -> str:
        raw = self.raw.raw if isinstance(self.raw, Segment) else self.raw
        return str(raw) if isinstance(raw, (Input, Path)) else reprlib.repr(raw)
