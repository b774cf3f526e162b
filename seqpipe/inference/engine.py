"""Inputs in windows, windows in batches, batches through the model: a pure function of inputs and settings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from seqpipe.answers.failure import Failure
from seqpipe.core.answer import is_finite
from seqpipe.core.calibration import Calibration
from seqpipe.core.memory import is_out_of_memory
from seqpipe.core.sequence import round_up
from seqpipe.data.batching import plan_batches
from seqpipe.inference.compute import Compute
from seqpipe.inference.reading import Reader
from seqpipe.inference.settings import Settings
from seqpipe.inference.slot import Pause, Slot, Unit, digest_of
from seqpipe.inference.window import Budget, Window
from seqpipe.pipeline import Pipeline

CHUNK_ELEMENTS = 30 * 60 * 16_000
"""Prepared elements (audio samples) that are held at once: half an hour at 16 kHz, 115 MB."""
MAX_ROWS = 256


@dataclass(slots=True)
class _Chunk:
    """Units that are batched together: a window, or as much of it as may be held at once."""

    window: int
    number: int
    units: list[Unit]
    closing: list[Slot] | None = None  # all slots of the window, in its last chunk
    batches: list[list[int]] = field(default_factory=list)
    futures: list[Any] = field(default_factory=list)


class Engine:
    """Runs a pipeline over inputs that a reader prepares.

    Reading is ahead of the model by a chunk at least. On out-of-memory the budget is halved, and the chunk done again.

    Args:
        pipeline: whose features say how long inputs are.
        settings: see there.
        compute: answers batches, and puts the answers to segments together.
        calibration: of the answers' confidences, beside the temperature that the head has; None leaves them.
        on_budget: told before a smaller budget is used for the first time.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: Settings,
        compute: Compute,
        *,
        calibration: Calibration | None = None,
        on_budget: Callable[[Budget], None] | None = None,
    ) -> None:
        self.pipeline, self.settings, self.compute, self.on_budget = pipeline, settings, compute, on_budget
        self.calibration = calibration or Calibration()
        self.budgets: list[Budget] = []

    def windows(self, reader: Reader, inputs: Iterable[Any], *, first: int = 0) -> Iterator[Window | Pause]:
        """Windows in order; a `Pause` in the stream comes through behind all that can be answered before it.

        Args:
            reader: prepares the inputs.
            inputs: what is left of them.
            first: number of the first window, when earlier ones are done.
        """
        running: deque[_Chunk] = deque()
        try:
            for chunk in self._chunks(reader.read(inputs), first):
                if not isinstance(chunk, Pause):
                    self._start(chunk)
                    running.append(chunk)
                while running and (len(running) > 1 or isinstance(chunk, Pause)):
                    yield from self._finish(running)
                if isinstance(chunk, Pause):
                    yield chunk
            while running:
                yield from self._finish(running)
        finally:  # given up in the middle: nothing goes on in the background
            for chunk in running:
                for future in chunk.futures:
                    future.cancel()

    def _chunks(
        self, prepared: Iterator[tuple[Slot, Unit | None, bool] | Pause], number: int
    ) -> Iterator[_Chunk | Pause]:
        slots: list[Slot] = []
        units: list[Unit] = []
        elements, chunk, seconds = 0, 0, 0.0
        measure = self.pipeline.features.measure
        for item in prepared:
            if isinstance(item, Pause):
                closes = item.closes
            else:
                slot, unit, last = item
                if not slots or slots[-1] is not slot:
                    slots.append(slot)
                if unit is not None:
                    units.append(unit)
                    elements += unit.prepared.numel()
                seconds += slot.seconds if last else 0.0
                is_full = len(slots) >= self.settings.window_inputs(number) or seconds >= measure.window_length
                closes = last and is_full
            if slots and closes:
                yield _Chunk(number, chunk, units, slots)
                number, chunk, slots, units, elements, seconds = number + 1, 0, [], [], 0, 0.0
            elif elements >= CHUNK_ELEMENTS:
                yield _Chunk(number, chunk, units)
                chunk, units, elements = chunk + 1, [], 0
            if isinstance(item, Pause):
                yield item
        if slots:
            yield _Chunk(number, chunk, units, slots)

    # Batches

    def _budget(self, chunk: _Chunk) -> int:
        at = (chunk.window, chunk.number)
        return next((b.steps for b in reversed(self.budgets) if (b.window, b.chunk) <= at), self.settings.batch_steps)

    def _start(self, chunk: _Chunk) -> None:
        chunk.units = [unit for unit in chunk.units if unit.slot.failure is None]
        lengths = torch.tensor([len(unit.prepared) for unit in chunk.units], dtype=torch.int64)
        steps = [rounded(length) for length in self.pipeline.features.output_lengths(lengths).tolist()]
        chunk.batches = plan_batches(steps, budget=self._budget(chunk), max_rows=MAX_ROWS, row_multiple=8)
        alone = len(chunk.batches) == 1
        chunk.futures = [self.compute.submit([chunk.units[index] for index in batch], alone) for batch in chunk.batches]

    def _finish(self, running: deque[_Chunk]) -> Iterator[Window]:
        """The oldest chunk's answers into their slots, and the window if it ends with it."""
        chunk = running[0]
        while True:
            failed = self._collect(chunk)
            if failed is None:
                break
            for other in running:
                _settle(other.futures)
            self._lower(chunk, failed)
            for other in running:
                self._start(other)
        running.popleft()
        if chunk.closing is not None:
            yield self._window(chunk.window, chunk.closing)

    def _collect(self, chunk: _Chunk) -> list[int] | None:
        """Take the answers; or the batch with which memory ran out."""
        answers: list[Any] = [None] * len(chunk.units)
        for batch, future in zip(chunk.batches, chunk.futures, strict=True):
            try:
                found = future.result()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                error.__traceback__ = None  # its frames hold the batch
                return batch
            for index, answer in zip(batch, found, strict=True):
                answers[index] = answer
        for unit, answer in zip(chunk.units, answers, strict=True):
            unit.slot.parts.append((unit.segment, answer))
        chunk.units = []
        return None

    def _lower(self, chunk: _Chunk, batch: Sequence[int]) -> None:
        self.compute.free_memory()
        if len(batch) == 1:
            slot = chunk.units[batch[0]].slot
            measure = self.pipeline.features.measure
            amount = f"{slot.seconds:.1f}" if measure.is_time else f"{slot.seconds:.0f}"
            message = f"{slot.where or slot.id}: {amount} {measure.name}s don't fit into memory"
            slot.failure = Failure(slot.id, "out of memory", message)
            return
        budget = Budget(chunk.window, chunk.number, max(1, self._budget(chunk) // 2))
        if self.on_budget is not None:
            self.on_budget(budget)
        self.budgets.append(budget)

    def _window(self, number: int, slots: list[Slot]) -> Window:
        started = time.perf_counter()
        answers = [self._answer(slot) for slot in slots]
        self.compute.clock.add("decoding", time.perf_counter() - started)
        warnings = [warning for slot in slots for warning in slot.warnings]
        return Window(number, answers, digest_of(slots), sum(slot.seconds for slot in slots), warnings)

    def _answer(self, slot: Slot) -> Any:
        """The only place where answers are made: what holds a number that is none is a failure."""
        if slot.failure is not None:
            return slot.failure
        answer = self.compute.responder.join(slot)
        if not is_finite(answer):
            message = f"{slot.where or slot.id}: the model's answer holds values that are no finite numbers"
            return Failure(slot.id, "non-finite", message)
        return self.calibration.apply(answer)


def _settle(futures: Sequence[Any]) -> None:
    """Wait till none of them runs, whatever became of it."""
    for future in futures:
        if not future.cancel():
            future.exception()


def rounded(steps: int) -> int:
    """Steps rounded up to one of at most 16 sizes in an octave: each shape that a CPU's kernels meet costs memory."""
    grid = max(8, 1 << max(0, steps.bit_length() - 4))
    return round_up(steps, grid)
