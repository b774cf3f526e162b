"""An exported model over any number of inputs."""

from __future__ import annotations

import os
import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.failure import Failure
from seqpipe.core.answer import is_finite
from seqpipe.core.calibration import Calibration
from seqpipe.core.input import Input, Segment
from seqpipe.core.warning import collecting_warnings
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.errors import InputError, decoding
from seqpipe.inference.settings import LIMITS, Settings
from seqpipe.inference.slot import Shown, Slot, make_slot, unbound
from seqpipe.runtime.heads import ConcatenatesParts, JoinsSegments, RunsGraphs, RuntimeHead, make_head
from seqpipe.runtime.location import Location
from seqpipe.runtime.manifest import Manifest, read_manifest
from seqpipe.runtime.readers import RuntimeReader, make_reader
from seqpipe.runtime.session import GraphSession, Session

FILES, VALUES = 8, 256
"""Inputs that a thread answers at once: files; and what is in memory already, as texts."""
MAX_ROWS = 64
"""Of a call in fp32."""


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
        self.manifest, self.reader, self.session, self.head = manifest, reader, session, head
        self.settings, self.calibration = settings, manifest.calibration

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        threads: int | None = None,
        decoding: Mapping[str, Any] | None = None,
        calibrated: bool = True,
        **settings: Any,
    ) -> Model:
        """Read an exported model.

        Args:
            folder: as `seqpipe export` wrote it.
            threads: inputs that are answered at once, a thread each; as many as there are cores when None.
            decoding: options that replace the model's.
            calibrated: whether its calibration, if it has one, is applied to confidences.
            settings: see `seqpipe.inference.settings.Settings`.

        Raises:
            RunError: the folder is no such model, or damaged, or of a newer version.
            ConfigError: onnxruntime isn't installed, or a setting is wrong.
        """
        path = Path(folder)
        manifest = read_manifest(path)
        calibration = manifest.calibration if calibrated else Calibration()
        reader = make_reader(manifest.reader, path)
        options = {**manifest.decoding, **(decoding or {})}
        head = make_head(manifest.head, path, options, calibration.temperature)
        if isinstance(head, RunsGraphs):
            graphs = {
                name: GraphSession(path / graph.file, graph.inputs, graph.outputs)
                for name, graph in manifest.graphs.items()
            }
            head.use(graphs, one_by_one=manifest.precision == "int8")
        chosen = Settings(threads=threads or _cores(), **settings)
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
        return (answer for answer, _ in self.answers(inputs))

    def answers(self, inputs: Iterable[Any]) -> Iterator[tuple[Any, Slot]]:
        """The same, each with its slot: what it was given as, how long it is, and what is odd about it."""
        if isinstance(inputs, (str, bytes, Path, Input, Row, Mapping, np.ndarray)):
            raise TypeError(
                f"predict takes a list of inputs, or another iterable; received one: {reprlib.repr(inputs)}"
            )
        return self._answers(inputs)

    def _answers(self, inputs: Iterable[Any]) -> Iterator[tuple[Any, Slot]]:
        reads_files = bool(self.reader.suffixes)
        size = FILES if reads_files else VALUES
        running: deque[tuple[list[Slot], Future[list[Any]]]] = deque()
        group: list[Slot] = []
        with ThreadPoolExecutor(self.settings.threads, thread_name_prefix="seqpipe-runtime") as pool:
            try:
                for number, given in enumerate(unbound(inputs, self.reader), 1):
                    group.append(make_slot(given, number, reads_files=reads_files))
                    # A few at first, so that answers come soon.
                    if len(group) < (size if number > 2 * size else 1):
                        continue
                    running.append((group, pool.submit(self.answer_slots, group)))
                    group = []
                    if len(running) > 2 * self.settings.threads:
                        yield from _received(*running.popleft())
                if group:
                    running.append((group, pool.submit(self.answer_slots, group)))
                while running:
                    yield from _received(*running.popleft())
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
        units: list[_Unit] = []
        for slot in slots:
            if slot.failure is None:
                try:
                    units += self._units(slot)
                except InputError as error:
                    nameless = error.kind == "too long"
                    message = f"{slot.where or slot.id}: {error}" if slot.where or nameless else str(error)
                    slot.failure = Failure(slot.id, error.kind, message)
        found = self._run(units, is_given_up)
        kept = [place for place, output in enumerate(found) if output is not None]
        hypotheses = self.head.decode([output for output in found if output is not None])
        for place, hypothesis in zip(kept, hypotheses, strict=True):
            unit = units[place]
            answer = self.head.answer(unit.slot.id, hypothesis, self._location(unit))
            unit.slot.parts.append((unit.segment, answer))
        return [None if is_given_up is not None and is_given_up(slot) else self._answer(slot) for slot in slots]

    def _units(self, slot: Slot) -> list[_Unit]:
        """An input's segments if it is split, else what the reader makes of it."""
        reader, settings = self.reader, self.settings
        measure = reader.measure
        with collecting_warnings() as odd, decoding(Shown(slot.raw), "an input"), reader.opened():
            length = self._checked(reader.length(slot.raw)) if reader.suffixes else None
            most, whole = settings.max_segment(measure)
            segments = None
            if most is not None and self._joins and not (length is not None and length <= whole * most):
                segments = reader.split(slot.raw, most)
            if segments is not None:
                if length is None:
                    self._checked(int(segments[-1].end))
                units = [_Unit(slot, each.raw, reader.prepare(each.raw), each) for each in segments]
                slot.seconds = segments[-1].end - segments[0].start
            else:
                prepared = reader.prepare(slot.raw)
                slot.seconds = self._checked(len(prepared))
                units = [_Unit(slot, slot.raw, prepared)]
                odd += reader.warnings(slot.raw, prepared)
        slot.warn(odd)
        return units

    @property
    def _joins(self) -> bool:
        """Whether the answers to parts of an input can be put together: segments of recordings overlap, texts don't."""
        return isinstance(self.head, JoinsSegments if self.reader.measure.is_time else ConcatenatesParts)

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

    def _run(
        self, units: Sequence[_Unit], is_given_up: Callable[[Slot], bool] | None
    ) -> list[NDArray[np.float32] | None]:
        """The graph's output of each unit; None of those that are given up."""
        steps = [max(1, round(len(unit.prepared) / self.manifest.stride)) for unit in units]
        most = 1 if self.session.one_by_one else MAX_ROWS
        found: list[NDArray[np.float32] | None] = [None] * len(units)
        for batch in plan_batches(steps, budget=self.settings.batch_steps, max_rows=most) if units else ():
            if is_given_up is not None and all(is_given_up(units[each].slot) for each in batch):
                continue
            for place, output in zip(batch, self.session.run([units[each].prepared for each in batch]), strict=True):
                found[place] = output
        return found

    def _location(self, unit: _Unit) -> Location:
        source, manifest = self.reader.source(unit.raw), self.manifest
        return Location(source, self.reader, unit.prepared, manifest.stride, manifest.offset)

    def _answer(self, slot: Slot) -> Any:
        if slot.failure is not None:
            return slot.failure
        if len(slot.parts) == 1 and slot.parts[0][0] is None:
            answer = slot.parts[0][1]
        else:
            parts = [(part, each) for part, each in slot.parts if part is not None]
            overlap = isinstance(self.head, JoinsSegments)
            answer = self.head.join(slot.id, parts) if overlap else self.head.concatenate(slot.id, parts)
        if not is_finite(answer):
            message = f"{slot.where or slot.id}: the model's answer holds values that are no finite numbers"
            return Failure(slot.id, "non-finite", message)
        return self.calibration.apply(answer)


def _received(slots: list[Slot], future: Future[list[Any]]) -> Iterator[tuple[Any, Slot]]:
    yield from zip(future.result(), slots, strict=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
