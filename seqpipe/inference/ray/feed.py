"""Windows from the driver into a stream of Ray Data.

Ray Data reads what is there when a run begins; it has no source that a driver's iterator feeds. So the driver puts
windows into a `Feed`, an actor beside it, and the only read task of the stream takes them from there, one by one for as
long as the run lasts. Nothing here imports torch, which would make a process of a few megabytes one of hundreds.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow
import ray
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

SCHEMA = pyarrow.schema([("window", pyarrow.int64()), ("content", pyarrow.large_binary())])


class Feed:
    """Windows on their way from the driver into the stream, by number; an actor beside the driver.

    What is taken stays till it is answered: Ray may repeat a read.
    """

    def __init__(self, first: int) -> None:
        self.first, self.end = first, sys.maxsize
        self.windows: dict[int, bytes] = {}
        self.members: list[Any] = []
        self.changed = asyncio.Condition()

    async def put(self, number: int, rows: bytes, answered: int) -> None:
        """Another window; those before ``answered`` aren't needed any more."""
        async with self.changed:
            self.windows[number] = rows
            for old in range(self.first, answered):
                del self.windows[old]
            self.first = max(self.first, answered)
            self.changed.notify_all()

    async def join(self, actor: Any) -> None:
        """An actor that answers says that it is there."""
        self.members.append(actor)

    async def joined(self) -> list[Any]:
        """All who have said so."""
        return self.members

    async def finish(self, end: int) -> None:
        """There is no window from this number on."""
        async with self.changed:
            self.end = end
            self.changed.notify_all()

    async def take(self, number: int) -> bytes | None:
        """A window's rows, as soon as they are there: nothing in them if it is answered already, None at the end."""
        async with self.changed:
            await self.changed.wait_for(lambda: number in self.windows or not self.first <= number < self.end)
            return self.windows.get(number, None if number >= self.end else b"")


class FeedSource(Datasource):
    """One read task, which goes on for as long as there are windows."""

    def __init__(self, feed: Any, first: int) -> None:
        super().__init__()
        self.feed, self.first = feed, first

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows."""
        return None

    def get_read_tasks(self, parallelism: int, *limits: Any, **contexts: Any) -> list[ReadTask]:
        """The task."""
        feed, first = self.feed, self.first

        def read() -> Iterator[pyarrow.Table]:
            number = first
            while (rows := ray.get(feed.take.remote(number))) is not None:
                yield make_block(number, rows)
                number += 1

        return [ReadTask(read, BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None))]


def make_block(number: int, content: bytes) -> pyarrow.Table:
    """A window as a row of a stream: its number, and its pickled inputs or answers."""
    return pyarrow.table({"window": [number], "content": [content]}, schema=SCHEMA)
