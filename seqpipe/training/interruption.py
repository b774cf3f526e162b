"""Ctrl-C ends a training between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning


class Interruption(lightning.Callback):
    """Turn the first SIGINT into a `KeyboardInterrupt` before the next step, and a second one into one at once.

    Python's own handler raises wherever the program stands. Where that is a destructor, as when a loader's workers are
    shut down after an epoch, the exception is printed and dropped, and training would go on.
    """

    def __init__(self) -> None:
        self.received = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT while this lasts; outside the main thread, where Python allows no handlers, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._receive)
        try:
            yield
            self._raise_if_received()  # after the last step
        except SystemExit:  # Lightning's answer to a KeyboardInterrupt
            raise KeyboardInterrupt from None
        finally:
            signal.signal(signal.SIGINT, before)

    def _receive(self, number: int, frame: Any) -> None:
        self.received = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _raise_if_received(self) -> None:
        if self.received:
            raise KeyboardInterrupt

    def on_train_batch_start(self, *_: Any) -> None:
        """End here if it was asked for."""
        self._raise_if_received()

    def on_validation_batch_start(self, *_: Any) -> None:
        """End here if it was asked for."""
        self._raise_if_received()
