"""Inputs that wait for a model, and the threads that answer them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from seqpipe.inference.slot import Slot
from seqpipe.runtime.model import Model


class QueueFull(Exception):
    """There is no room for the inputs of a request.

    Attributes:
        seconds: after which there may be.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; try again in {seconds} s")
        self.seconds = seconds


@dataclass(slots=True, eq=False)
class Waiting:
    """An input on its way.

    Attributes:
        slot: of it.
        answer: becomes what the model says.
        since: when it came, by `time.perf_counter`.
        given_up: set where nobody waits for the answer any more.
    """

    slot: Slot
    answer: Future[Any] = field(default_factory=Future)
    since: float = field(default_factory=time.perf_counter)
    given_up: bool = False


class AnswerQueue:
    """Answers inputs in the order in which they came, several threads at once.

    A thread takes as many inputs as are there for each thread. An answer doesn't depend on what else a thread takes: to
    the bit in int8, to 1e-5 in fp32 (`seqpipe.runtime.session.Session`).

    Args:
        model: that answers.
        most: inputs that may wait; more are refused.
        together: inputs that a thread takes at most.
    """

    def __init__(self, model: Model, *, most: int, together: int) -> None:
        self.model, self.most, self.together = model, most, together
        self._waiting: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._seconds = 0.1
        """For an input, by what the last ones took."""
        count = model.settings.threads
        self._threads = [
            threading.Thread(target=self._work, name=f"seqpipe-serve-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """Inputs that wait."""
        return len(self._waiting)

    @property
    def is_alive(self) -> bool:
        """Whether all threads work."""
        return all(thread.is_alive() for thread in self._threads)

    def put(self, inputs: list[tuple[str, Any]]) -> list[Waiting]:
        """Inputs of one request, each a name and what the model reads: all of them are taken, or none.

        Raises:
            QueueFull: there is no room for them.
        """
        reads_files = bool(self.model.reader.suffixes)
        made: list[Waiting] = []
        for name, raw in inputs:
            slot = self.model.make_slot(raw, 1)
            slot.id, slot.where = name, name if reads_files else f"inputs[{len(made)}]"
            made.append(Waiting(slot))
        with self._changed:
            # A request that alone is more than the queue holds is taken where nothing waits.
            if self._waiting and len(self._waiting) + len(made) > self.most:
                ahead = len(self._waiting) * self._seconds / len(self._threads)
                raise QueueFull(max(1, round(ahead)))
            self._waiting.extend(made)
            self._changed.notify(len(made))
        return made

    def close(self) -> None:
        """Answer nothing more; what is being answered is finished."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for each in left:
            each.answer.cancel()
        for thread in self._threads:
            thread.join()

    def _take(self) -> list[Waiting]:
        """A fair share of what waits and is still wanted; nothing once it is closed."""
        with self._changed:
            while True:
                while self._waiting and self._waiting[0].given_up:
                    self._waiting.popleft().answer.cancel()
                if self._closed:
                    return []
                if self._waiting:
                    share = -(-len(self._waiting) // len(self._threads))
                    count = min(share, self.together)
                    return [self._waiting.popleft() for _ in range(count)]
                self._changed.wait()

    def _work(self) -> None:
        while taken := self._take():
            wanted = [each for each in taken if not each.given_up and each.answer.set_running_or_notify_cancel()]
            if not wanted:
                continue
            started = time.perf_counter()
            try:
                answers = self.model.answer_slots([each.slot for each in wanted], _given_up(wanted))
            except BaseException as error:  # noqa: BLE001 - it is handed to those who wait, who tell it
                for each in wanted:
                    each.answer.set_exception(error)
                continue
            self._seconds += 0.1 * ((time.perf_counter() - started) / len(wanted) - self._seconds)
            for each, answer in zip(wanted, answers, strict=True):
                each.answer.set_result(answer)


def _given_up(waiting: list[Waiting]) -> Callable[[Slot], bool]:
    """Tells of a slot whether anyone still waits for its answer."""
    by_slot = {id(each.slot): each for each in waiting}
    return lambda slot: by_slot[id(slot)].given_up
