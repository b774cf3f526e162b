"""Batch inference on a Ray cluster."""

from __future__ import annotations

import pickle
import queue
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seqpipe.answers.failure import Failure
from seqpipe.core.files import hash_file
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, SeqpipeError
from seqpipe.inference.ray.cluster import Cluster
from seqpipe.inference.settings import Settings
from seqpipe.inference.slot import Pause, Slot, digest_of, make_slot
from seqpipe.inference.window import Window
from seqpipe.model_file import MODEL

AHEAD = 4
"""Windows for each actor that are under way at most: more than it has in hand, since answers wait for the slowest."""
AHEAD_BYTES = 1 << 30
"""Of inputs under way: those of a data set on the Hub are recordings, not paths."""
CHECK_SECONDS = 5.0
"""Without an answer, after which it is seen whether a node has died."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A window that the cluster works on: its number, its pickled inputs, how many they are, and their digest."""

    number: int
    rows: bytes
    count: int
    digest: str


class RayEngine:
    """Answers windows on a Ray cluster, by a pool of actors that each have the model, through Ray Data.

    Windows have the inputs that they would have on one machine, and an actor answers one as the local engine does: with
    the same kind of processor its answers have the same bits. There are two exceptions. A window doesn't close early
    after two hours of input, so with long recordings a smaller ``window`` makes work safe sooner. And an actor that
    runs out of memory lowers its own budget, unknown to other actors and to the journal.

    An actor that dies is started again by Ray, and what it had in hand is done again. When a node dies, Ray would wait
    for another one that has room for its actors; so the pool is made anew on the nodes that are left.

    Args:
        run: run directory; all nodes see it, and the inputs, under the same paths.
        settings: of all actors. On a CPU each takes ``threads`` cores, else one GPU.
        decoding: options that replace the recipe's.
        calibrated: see `seqpipe.load`.
        actors: how many; by default as many as the cluster has room for.
        modules: of the user's own, which hold stages.
        columns: of an input's source, those that its answer depends on.
        notice: told when the pool is made anew.

    Raises:
        ConfigError: Ray isn't installed; the cluster can't be reached, or has no room for an actor.
    """

    def __init__(
        self,
        run: str | Path,
        settings: Settings,
        *,
        decoding: Mapping[str, Any] | None = None,
        calibrated: bool = True,
        actors: int | None = None,
        modules: Sequence[str] = (),
        columns: Sequence[str] = (),
        notice: Callable[[str], None] | None = None,
    ) -> None:
        if actors is not None and actors < 1:
            raise ConfigError(f"--workers should be at least 1 with --engine ray; received {actors}")
        self.settings, self.columns, self.notice = settings, columns, notice
        self.seconds: dict[str, float] = {}
        self._order: dict[str, Any] = {
            "run": str(Path(run).absolute()),
            "model": hash_file(Path(run) / MODEL),
            "settings": {**asdict(settings), "decoding": dict(decoding or {}), "calibrated": calibrated},
            "modules": tuple(modules),
            "folder": str(Path.cwd()),
            "path": [place or str(Path.cwd()) for place in sys.path],
        }
        self._asked: deque[Asked] = deque()
        self._stream: Any = None
        self.cluster = Cluster(settings, actors)
        try:
            self.pool = self.cluster.pool()
        except ConfigError:
            self.cluster.close()
            raise

    def windows(self, rows: Iterable[Any], first: int) -> Iterator[Window | Pause]:
        """Answers to inputs, in their order; ``first`` is the number of the first window.

        No more than `AHEAD` windows for each actor are held, however many inputs there are. A `Pause` comes through
        behind all that can be answered before it.

        Raises:
            ConfigError: a node can't load the model, or none is left.
            SeqpipeError: the cluster failed otherwise; the message is Ray's.
        """
        number = first
        try:
            for item in self._cut(rows, first):
                if not isinstance(item, Pause):
                    number = item.number + 1
                    self._ask(item)
                while self._asked and (isinstance(item, Pause) or self._is_full() or not self._stream.answers.empty()):
                    yield self._next()
                if isinstance(item, Pause):
                    yield item
            while self._asked:
                yield self._next()
            if self._stream is not None:
                self._stream.finish(number)
                self._stream = None
        except self.cluster.ray.exceptions.RayError as error:
            raise SeqpipeError(f"the cluster failed: {error}") from error
        finally:
            self._abandon()
            self._asked.clear()

    def spent(self) -> dict[str, float]:
        """Seconds by stage, summed over the actors."""
        return dict(self.seconds)

    def close(self) -> None:
        """End the actors, and leave the cluster if this engine joined it."""
        self._abandon()
        self.cluster.close()

    def _cut(self, rows: Iterable[Any], number: int) -> Iterator[Asked | Pause]:
        slots: list[Slot] = []
        sent: list[Row | Failure] = []
        count = 0
        for given in rows:
            if not isinstance(given, Pause):
                count += 1
                slots.append(make_slot(given, count, columns=self.columns))
                sent.append(_portable(given, slots[-1], self.columns))
            closes = given.closes if isinstance(given, Pause) else len(slots) == self.settings.window_inputs(number)
            if slots and closes:
                yield _close(number, slots, sent)
                number, slots, sent = number + 1, [], []
            if isinstance(given, Pause):
                yield given
        if slots:
            yield _close(number, slots, sent)

    def _is_full(self) -> bool:
        under_way = sum(len(item.rows) for item in self._asked)
        return len(self._asked) >= AHEAD * self.pool.actors or under_way >= AHEAD_BYTES

    def _ask(self, item: Asked) -> None:
        self._asked.append(item)
        if self._stream is None:
            self._begin()
        else:
            self._stream.put(item.number, item.rows, self._asked[0].number)

    def _begin(self) -> None:
        """A pool of actors, and all windows that wait for an answer into it."""
        from seqpipe.inference.ray.stream import Order, Stream

        first = self._asked[0].number
        self._stream = Stream(Order(**self._order, readers=self.pool.readers), self.pool, first)
        for item in self._asked:
            self._stream.put(item.number, item.rows, first)

    def _next(self) -> Window:
        """The oldest window's answers."""
        asked = self._asked[0]
        found = self._receive()
        while found.number < asked.number and found.problem is None:  # a read that Ray repeated
            found = self._receive()
        if found.problem is not None:
            raise ConfigError(found.problem)
        if (found.number, len(found.answers)) != (asked.number, asked.count):
            raise RuntimeError(
                f"window {asked.number} of {asked.count} inputs was asked for; the cluster sent {len(found.answers)} "
                f"answers to window {found.number}"
            )
        self._asked.popleft()
        for stage, seconds in found.spent:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        return Window(asked.number, list(found.answers), asked.digest, found.seconds, found.warnings)

    def _receive(self) -> Any:
        while True:
            try:
                found = self._stream.answers.get(timeout=CHECK_SECONDS)
            except queue.Empty:
                self._replace_pool()
                continue
            if not isinstance(found, BaseException):
                return found
            if not self._replace_pool():
                raise found

    def _replace_pool(self) -> bool:
        """Go on with the nodes that are left, if one has died."""
        lost = self.cluster.lost()
        if not lost:
            return False
        self._abandon()
        self.pool = self.cluster.pool()
        if self.notice is not None:
            self.notice(f"the cluster lost {lost} node(s); going on with {self.pool.actors} actor(s)")
        self._begin()
        return True

    def _abandon(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _close(number: int, slots: list[Slot], sent: list[Row | Failure]) -> Asked:
    return Asked(number, pickle.dumps(sent), len(sent), digest_of(slots))


def _portable(given: Any, slot: Slot, columns: Sequence[str]) -> Row | Failure:
    """An input without what no answer depends on; of its source's columns, with these."""
    if isinstance(given, Failure):
        return given
    if isinstance(given, Row):
        return replace(
            given, target=None, columns={name: slot.columns[name] for name in columns if name in slot.columns}
        )
    return Row(slot.id, slot.raw)
