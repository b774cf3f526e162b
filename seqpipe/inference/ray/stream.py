"""Windows through Ray Data, by a pool of actors that each have the model."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import seqpipe
from seqpipe.core.files import hash_file
from seqpipe.core.input import Input
from seqpipe.data.rows import Row
from seqpipe.errors import SeqpipeError
from seqpipe.inference.engine import Engine
from seqpipe.inference.ray.cluster import Pool
from seqpipe.inference.ray.feed import Feed, FeedSource, make_block
from seqpipe.inference.reading import Reader
from seqpipe.inference.window import Window
from seqpipe.inference.workers import Workers
from seqpipe.model_file import MODEL

AT_ONCE = 2
"""Windows that an actor has in hand: it reads one while it computes the other."""


@dataclass(frozen=True)
class Order:
    """What every actor is told when it begins.

    Attributes:
        run: run directory, absolute.
        model: hash of its model file.
        settings: of the `Predictor`.
        modules: of the user's own, which hold stages.
        folder: where the driver works; relative paths start there.
        path: where the driver looks for modules.
        readers: processes that read.
    """

    run: str
    model: str
    settings: Mapping[str, Any]
    modules: Sequence[str]
    folder: str
    path: Sequence[str]
    readers: int


class Answer(NamedTuple):
    """What an actor makes of a window, or why it can't."""

    number: int
    answers: Sequence[Any] = ()
    seconds: float = 0.0
    spent: Sequence[tuple[str, float]] = ()
    warnings: Sequence[tuple[str, str]] = ()
    problem: str | None = None


class Answerer:
    """An actor's part: loads the model once, and answers windows as the local engine does.

    What keeps it from beginning is told in place of the first answer: raised here, Ray would wrap it into its own.
    """

    def __init__(self, order: Order, feed: Any) -> None:
        self.order = order
        ray.get(feed.join.remote(ray.get_runtime_context().current_actor))
        self.node = ray.util.get_node_ip_address()
        self.lock = threading.Lock()
        self.told: dict[str, float] = {}
        self.is_there = True
        self.problem: str | None = None
        try:
            self._begin()
        except (SeqpipeError, ImportError, OSError) as error:
            self.problem = f"node {self.node}: {error}"

    def __call__(self, block: pyarrow.Table) -> pyarrow.Table:
        """Blocks of windows with their rows to blocks of windows with their answers."""
        numbers, contents = block["window"].to_pylist(), block["content"].to_pylist()
        found = [self._answer(number, rows) for number, rows in zip(numbers, contents, strict=True)]
        return pyarrow.concat_tables([make_block(answer.number, pickle.dumps(answer)) for answer in found])

    def _begin(self) -> None:
        order = self.order
        try:
            os.chdir(order.folder)
        except OSError:  # such a node can answer what has absolute paths
            self.is_there = False
        sys.path += [place for place in order.path if place not in sys.path]
        for name in order.modules:
            importlib.import_module(name)
        model = Path(order.run) / MODEL
        if not model.is_file():
            raise SeqpipeError(f"there is no {model}; the run directory should be on storage that all nodes see")
        if hash_file(model) != order.model:
            raise SeqpipeError(
                f"{model} is another model than where the command was started; the run directory should be on "
                "storage that all nodes see"
            )
        self.predictor = seqpipe.load(order.run, **order.settings)
        self.workers: queue.SimpleQueue[Workers] = queue.SimpleQueue()
        for _ in range(AT_ONCE):  # of each window alone: who reads an input that kills takes others along
            count = max(1, order.readers // AT_ONCE)
            self.workers.put(Workers(self.predictor.preparation, count=count, processes=True, modules=order.modules))
        # One for all windows: what it learns about memory holds for later ones.
        predictor = self.predictor
        self.engine = Engine(
            predictor.pipeline, predictor.settings, predictor.compute, calibration=predictor.calibration
        )

    def _answer(self, number: int, content: bytes) -> Answer:
        if self.problem is not None:
            return Answer(number, problem=self.problem)
        if not content:
            return Answer(number)
        rows = pickle.loads(content)
        if not self.is_there and any(_is_relative(row) for row in rows):
            folder = self.order.folder
            return Answer(number, problem=f"node {self.node}: has no folder {folder}, where relative paths start")
        workers = self.workers.get()
        try:
            reader = Reader(self.predictor.preparation, workers)
            windows = [item for item in self.engine.windows(reader, rows, first=number) if isinstance(item, Window)]
        finally:
            self.workers.put(workers)
        answers = [answer for window in windows for answer in window.answers]
        warnings = [warning for window in windows for warning in window.warnings]
        seconds = sum(window.seconds for window in windows)
        return Answer(number, answers, seconds, self._spent(reader.seconds), warnings)

    def _spent(self, reading: float) -> list[tuple[str, float]]:
        """Seconds by stage since this was told the last time."""
        with self.lock:
            now = dict(self.predictor.compute.clock.read())
            new = [(stage, seconds - self.told.get(stage, 0.0)) for stage, seconds in now.items()]
            self.told = now
        return [("reading", reading), *new]


class Stream:
    """A pool of actors and what comes from it; as many windows may be in it as its user likes.

    Args:
        order: what actors are told.
        pool: of actors.
        first: number of the first window.

    Attributes:
        answers: in the order of the windows; an exception is the last.
    """

    def __init__(self, order: Order, pool: Pool, first: int) -> None:
        self.answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        # Beside the driver: a node that dies doesn't take it along.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.feed = ray.remote(Feed).options(num_cpus=0, scheduling_strategy=here).remote(first)
        source = ray.data.read_datasource(FeedSource(self.feed, first), override_num_blocks=1, num_cpus=0)
        _set_up(source.context)
        self.dataset = source.map_batches(
            Answerer,
            fn_constructor_args=(order, self.feed),
            batch_size=1,  # a window
            batch_format="pyarrow",
            compute=ActorPoolStrategy(
                size=pool.actors, max_tasks_in_flight_per_actor=AT_ONCE, max_concurrent_calls_per_actor=AT_ONCE
            ),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
        )
        self.thread = threading.Thread(target=self._collect, daemon=True, name="seqpipe-ray")
        self.thread.start()

    def put(self, number: int, rows: bytes, answered: int) -> None:
        """Another window; those before ``answered`` won't be asked for again."""
        ray.get(self.feed.put.remote(number, rows, answered))

    def finish(self, end: int) -> None:
        """All windows are answered; none has this number."""
        self._kill_actors()
        with contextlib.suppress(RayError):
            ray.get(self.feed.finish.remote(end))
        self.thread.join(10)
        self.close()

    def close(self) -> None:
        """End the actors, wherever they are."""
        self._kill_actors()
        with contextlib.suppress(RayError):
            ray.kill(self.feed)  # without a source Ray Data gives up
        self.thread.join(30)

    def _kill_actors(self) -> None:
        """Left to Ray Data, they would be forgotten, and end once all have forgotten them.

        One whose node died, and that the traceback of some error remembers, would be started in the place that another
        leaves. And of those that end by themselves one in several was seen to stay for ever, at a lock of Ray's own.
        """
        with contextlib.suppress(RayError):  # what is dead is ended
            for actor in ray.get(self.feed.joined.remote()):
                ray.kill(actor)

    def _collect(self) -> None:
        try:
            for block in self.dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for content in block["content"].to_pylist():
                    self.answers.put(pickle.loads(content))
        except BaseException as error:  # noqa: BLE001 - raised again where the answers are wanted
            self.answers.put(error)


def _set_up(context: DataContext) -> None:
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # byte: no window waits for others to fill a block with
    context.enable_progress_bars = False  # the job has its own
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # standard input may be silent for hours


def _is_relative(row: Any) -> bool:
    path = row.input.path if isinstance(row, Row) and isinstance(row.input, Input) else None
    return path is not None and not path.is_absolute()
