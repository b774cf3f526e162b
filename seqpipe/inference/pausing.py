"""A stream that says when its source has nothing to give for the moment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from seqpipe.inference.slot import PAUSE

SECONDS = 0.2
AHEAD = 64


class _End:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def with_pauses(items: Iterable[Any], stop: Callable[[], bool], *, seconds: float = SECONDS) -> Iterator[Any]:
    """The items, and `PAUSE` where none has come for a while since the last; end early once ``stop`` says so.

    Args:
        items: gone through in a thread of its own, a few ahead.
        stop: asked while there is nothing to give.
        seconds: without an item that count as a pause.
    """
    waiting: queue.Queue[Any] = queue.Queue(AHEAD)

    def feed() -> None:
        try:
            for item in items:
                waiting.put(item)
        except BaseException as error:  # noqa: BLE001 - raised again where the items are wanted
            waiting.put(_End(error))
        else:
            waiting.put(_End())

    threading.Thread(target=feed, daemon=True, name="seqpipe-input").start()
    paused = True
    while True:
        try:
            item = waiting.get(timeout=seconds)
        except queue.Empty:
            if stop():
                return
            if not paused:
                paused = True
                yield PAUSE
            continue
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        paused = False
        yield item
