"""An exported model over any number of inputs."""

from __future__ import annotations

import os
import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.failure import Failure
from seqpipe.core.answer import is_finite
from seqpipe.core.calibration import Calibration
from seqpipe.core.idle_options import idle_options
from seqpipe.core.input import Input, Segment
from seqpipe.core.warning import collecting_warnings
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, InputError, decoding, did_you_mean
from seqpipe.features.speech.channels import Channels
from seqpipe.inference.settings import LIMITS, Settings, check_segments, limits_of
from seqpipe.inference.slot import Pause, Shown, Slot, make_slot, unbound
from seqpipe.runtime.heads import (
    ConcatenatesParts,
    JoinsSegments,
    ReadsColumns,
    RunsGraphs,
    RuntimeHead,
    SearchMethods,
    make_head,
)
from seqpipe.runtime.location import Location
from seqpipe.runtime.manifest import Manifest, Part, read_manifest
from seqpipe.runtime.readers import RuntimeReader, make_reader
from seqpipe.runtime.session import GraphSession, Session

FILES, VALUES = 8, 1024
"""Inputs that a thread answers at once: files; and what is in memory already, as texts. At first fewer, a `GROWTH`th of
those before them, so that answers come soon."""
GROWTH = 4
HELD_ELEMENTS = 1 << 22
"""Prepared elements that a thread answers at once, of inputs and their segments: four minutes at 16 kHz, 16 MB."""
BATCH_STEPS = 4000
"""Of a call: rows times output steps of the longest. Larger ones are no faster on a CPU, and take more memory: 20
minutes of speech took a thread 7.2, 6.4 and 6.7 s with 1,000, 2,000 and 4,000."""
MAX_ROWS = 256
"""Of a call in fp32."""
SETTINGS = frozenset({"batch_steps", "window", "segment_seconds", *LIMITS})
"""What `Model.load` takes of `seqpipe.inference.settings.Settings`."""

Answered = list[tuple[Any, Slot]]
"""Answers to inputs that a thread had together, each with its slot: what it was given as, how long it is, ..."""


@dataclass(slots=True)
class _Unit:
    """What the graph answers as one: an input, or a segment of a long one."""

    slot: Slot
    raw: Any
    prepared: NDArray[Any]
    segment: Segment | None = None


class Model:
    """An exported model, ready to answer: loaded once, and called by as many threads as you like.

    Args:
        manifest: of the model.
        reader, session, head: its parts.
        settings: limits, segments, and how many threads there are.

    Example:
        >>> model = Model.load("exported/an4")                          # doctest: +SKIP
        >>> [answer.text for answer in model.predict(["a.flac"])]       # doctest: +SKIP
    """

    def __init__(
        self, manifest: Manifest, reader: RuntimeReader, session: Session, head: RuntimeHead, settings: Settings
    ) -> None:
        check_segments(reader.measure, settings.segment_seconds)
        self.manifest, self.reader, self.session, self.head = manifest, reader, session, head
        self.settings, self.calibration = settings, manifest.calibration
        self._join: Callable[[str, Any], Any] | None = None
        if reader.measure.is_time and isinstance(head, JoinsSegments):  # segments of recordings overlap
            self._join = head.join
        elif not reader.measure.is_time and isinstance(head, ConcatenatesParts):  # parts of texts don't
            self._join = head.concatenate

    @property
    def columns(self) -> Sequence[str]:
        """Of an input's source, those columns that its answer depends on."""
        return self.head.columns if isinstance(self.head, ReadsColumns) else ()

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        threads: int | None = None,
        decoding: Mapping[str, Any] | None = None,
        calibrated: bool = True,
        channels: str | None = None,
        **settings: Any,
    ) -> Model:
        """Read an exported model.

        Args:
            folder: as `seqpipe export` wrote it.
            threads: inputs that are answered at once, a thread each; as many as there are cores when None.
            decoding: options that replace the model's; files are named from the current folder.
            calibrated: whether its calibration, if it has one, is applied to confidences.
            channels: of recordings, in the place of the recipe's: ``mix``, ``first``, ``loudest`` or ``each``.
            settings: ``batch_steps``, ``window``, ``segment_seconds``, ``max_seconds``, ``max_tokens`` and
                ``max_steps``; see `seqpipe.inference.settings.Settings`.

        Raises:
            RunError: the folder is no such model, or damaged, or of a newer version.
            ConfigError: onnxruntime isn't installed, or a setting is wrong, or for another kind of input.
        """
        path = Path(folder)
        if unknown := sorted(settings.keys() - SETTINGS):
            raise ConfigError(f"{unknown[0]}: is no setting{did_you_mean(unknown[0], SETTINGS)}")
        manifest = read_manifest(path)
        calibration = manifest.calibration if calibrated else Calibration()
        reader = make_reader(_with_channels(manifest.reader, channels), path)
        options = _chosen(_located(manifest, path), decoding or {})
        limits = limits_of(reader.measure, **{name: settings.pop(name, None) for name in LIMITS})
        settings.setdefault("batch_steps", BATCH_STEPS)
        settings.setdefault("window", reader.measure.window)
        head = make_head(manifest.head, path, options, calibration.temperature)
        if isinstance(head, SearchMethods):
            for name, problem in idle_options(head.of_methods, options["method"], decoding or {}):
                raise ConfigError(f"decoding.{name}: {problem}")
        if isinstance(head, RunsGraphs):
            graphs = {
                name: GraphSession(path / graph.file, graph.inputs, graph.outputs)
                for name, graph in manifest.graphs.items()
            }
            head.use(graphs, one_by_one=manifest.precision == "int8")
        if threads is not None and threads < 1:
            raise ConfigError(f"threads (--threads) should be at least 1; received {threads}")
        chosen = Settings(threads=threads or _cores(), channels=channels, **settings, **limits)
        model = cls(manifest, reader, Session(path, manifest), head, chosen)
        model.calibration = calibration
        return model

    def predict(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """Answers in the order of the inputs, lazily; a `Failure` in the place of each input that can't be used.

        Args:
            inputs: as `seqpipe.Predictor.predict` takes them.

        Raises:
            TypeError: one input was given in the place of several.
        """
        if isinstance(inputs, (str, bytes, Path, Input, Row, Mapping, np.ndarray)):
            raise TypeError(
                f"predict takes a list of inputs, or another iterable; received one: {reprlib.repr(inputs)}"
            )
        return self._answers(inputs)

    def _answers(self, inputs: Iterable[Any]) -> Iterator[Any]:
        given: Iterable[Any] = unbound(inputs, self.reader)
        if isinstance(inputs, Sized) and len(inputs) == 1:
            given = known = list(given)
            if len(known) == 1:  # for which no thread need be started
                yield from self.answer_slots([self.make_slot(known[0], 1)])
                return
        for group in self.groups(given):
            if not isinstance(group, Pause):
                yield from (answer for answer, _ in group)

    def make_slot(self, given: Any, number: int) -> Slot:
        """See `seqpipe.inference.slot.make_slot`, with what this model reads and depends on."""
        return make_slot(given, number, reads_files=bool(self.reader.suffixes), columns=self.columns)

    def groups(self, inputs: Iterable[Any], *, done: int = 0) -> Iterator[Answered | Pause]:
        """Answers in groups, as threads have them; which inputs stand in one depends on their numbers alone.

        Args:
            inputs: of which none holds several. A `Pause` that closes comes through, behind all before it.
            done: inputs before them, whose numbers these go on from.
        """
        size = FILES if self.reader.suffixes else VALUES
        running: deque[tuple[list[Slot], Future[list[Any]]]] = deque()
        group: list[Slot] = []
        with ThreadPoolExecutor(self.settings.threads, thread_name_prefix="seqpipe-runtime") as pool:
            try:
                number = done
                for given in inputs:
                    if isinstance(given, Pause):
                        if given.closes:
                            if group:
                                running.append((group, pool.submit(self.answer_slots, group)))
                                group = []
                            while running:
                                yield _received(*running.popleft())
                            yield given
                        continue
                    number += 1
                    group.append(self.make_slot(given, number))
                    if len(group) < min(size, max(1, number // GROWTH)):
                        continue
                    running.append((group, pool.submit(self.answer_slots, group)))
                    group = []
                    if len(running) > 2 * self.settings.threads:
                        yield _received(*running.popleft())
                if group:
                    running.append((group, pool.submit(self.answer_slots, group)))
                while running:
                    yield _received(*running.popleft())
            finally:  # given up in the middle: nothing goes on in the background
                for _, future in running:
                    future.cancel()

    # One group of inputs

    def answer_slots(self, slots: Sequence[Slot], is_given_up: Callable[[Slot], bool] | None = None) -> list[Any]:
        """The answer to each input, or its failure; by one thread.

        Args:
            slots: of the inputs.
            is_given_up: asked between batches whether nobody waits for an answer any more, which then is None.
        """
        held: list[_Unit] = []
        elements = 0
        for slot in slots:
            if slot.failure is not None:
                continue
            try:
                for unit in self._units(slot):
                    held.append(unit)
                    elements += unit.prepared.size
                    if elements >= HELD_ELEMENTS:
                        self._take(held, is_given_up)
                        held, elements = [], 0
            except InputError as error:
                nameless = error.kind == "too long"
                message = f"{slot.where or slot.id}: {error}" if slot.where or nameless else str(error)
                slot.failure = Failure(slot.id, error.kind, message)
        self._take(held, is_given_up)
        return [None if is_given_up is not None and is_given_up(slot) else self._answer(slot) for slot in slots]

    def _units(self, slot: Slot) -> Iterator[_Unit]:
        """An input's segments if it is split, one after the other, else what the reader makes of it."""
        reader, settings = self.reader, self.settings
        measure = reader.measure
        with collecting_warnings() as odd, decoding(Shown(slot.raw), "an input"), reader.opened():
            length = self._checked(reader.length(slot.raw)) if reader.suffixes else None
            most, whole = settings.max_segment(measure) if self._join is not None else (None, 1.0)
            segments = None
            if most is not None and not (length is not None and length <= whole * most):
                segments = reader.split(slot.raw, most)
            if segments is not None:
                if length is None:
                    self._checked(int(segments[-1].end))
                slot.seconds = segments[-1].end - segments[0].start
                for each in segments:
                    yield _Unit(slot, each.raw, reader.prepare(each.raw), each)
            else:
                prepared = reader.prepare(slot.raw)
                slot.seconds = self._checked(len(prepared))
                odd += reader.warnings(slot.raw, prepared)
                yield _Unit(slot, slot.raw, prepared)
        if odd:
            slot.warn(odd)

    def _checked(self, length: int) -> float:
        measure = self.reader.measure
        amount, most = measure.amount(length), self.settings.max_length(measure)
        if amount > most:
            raise InputError(
                "too long",
                f"is {amount:.0f} {measure.name}s long{measure.scaled}; {most:.10g} are allowed "
                f"({LIMITS[measure.limit]}, {measure.limit})",
            )
        return amount

    def _take(self, held: Sequence[_Unit], is_given_up: Callable[[Slot], bool] | None) -> None:
        """Answer what was prepared; not what failed meanwhile."""
        units = [unit for unit in held if unit.slot.failure is None]
        if not units:
            return
        found = self._run(units, is_given_up)
        kept = [place for place, output in enumerate(found) if output is not None]
        outputs = [output for output in found if output is not None]
        if isinstance(self.head, ReadsColumns):
            hypotheses = self.head.decode(outputs, [units[place].slot.columns for place in kept])
        else:
            hypotheses = self.head.decode(outputs)
        for place, hypothesis in zip(kept, hypotheses, strict=True):
            unit = units[place]
            answer = self.head.answer(unit.slot.id, hypothesis, self._location(unit))
            unit.slot.parts.append((unit.segment, answer))

    def _run(
        self, units: Sequence[_Unit], is_given_up: Callable[[Slot], bool] | None
    ) -> list[NDArray[np.float32] | None]:
        """The graph's output of each unit; None of those that are given up."""
        steps = [max(1, round(len(unit.prepared) / self.manifest.stride)) for unit in units]
        most = 1 if self.session.one_by_one else MAX_ROWS
        found: list[NDArray[np.float32] | None] = [None] * len(units)
        for batch in plan_batches(steps, budget=self.settings.batch_steps, max_rows=most):
            if is_given_up is not None and all(is_given_up(units[each].slot) for each in batch):
                continue
            for place, output in zip(batch, self.session.run([units[each].prepared for each in batch]), strict=True):
                found[place] = output
        return found

    def _location(self, unit: _Unit) -> Location:
        return Location(unit.raw, self.reader, unit.prepared, self.manifest.stride, self.manifest.offset)

    def _answer(self, slot: Slot) -> Any:
        if slot.failure is not None:
            return slot.failure
        if len(slot.parts) == 1 and slot.parts[0][0] is None:
            answer = slot.parts[0][1]
        else:
            parts = [(part, each) for part, each in slot.parts if part is not None]
            answer = self._join(slot.id, parts) if self._join is not None else None
        if not is_finite(answer):
            message = f"{slot.where or slot.id}: the model's answer holds values that are no finite numbers"
            return Failure(slot.id, "non-finite", message)
        return self.calibration.apply(answer)


def _received(slots: list[Slot], future: Future[list[Any]]) -> Answered:
    return list(zip(future.result(), slots, strict=True))


def _with_channels(reader: Part, channels: str | None) -> Part:
    """A reader that does with channels what was chosen."""
    if channels is None:
        return reader
    if "channels" not in reader.options:
        raise ConfigError(f"channels (--channels) are those of recordings, and this model reads with {reader.stage}")
    if channels not in get_args(Channels):
        raise ConfigError(f"channels should be one of {', '.join(get_args(Channels))}; received {channels!r}")
    return replace(reader, options={**reader.options, "channels": channels})


def _located(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """Options of decoding, in which files of the model are named from the current folder."""
    return {
        name: str(folder / value) if isinstance(value, str) and value in manifest.files else value
        for name, value in manifest.decoding.items()
    }


def _chosen(options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of decoding with those that were given, each of the kind that it was."""
    for name, value in given.items():
        if name not in options:
            raise ConfigError(f"decoding.{name} is not known{did_you_mean(name, options)}")
        was = options[name]
        is_other = was is not None and value is not None and _kind(was) is not _kind(value)
        if is_other and not {_kind(was), _kind(value)} <= {str, list}:  # a list, or the file that holds it
            raise ConfigError(f"decoding.{name}: should be of the kind of {was!r}; received {value!r}")
    return {**options, **given}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)
