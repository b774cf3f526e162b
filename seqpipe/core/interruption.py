"""Ctrl-C and SIGTERM end long work between two steps, with what is done kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Note the first SIGINT or SIGTERM, for the work to end at its next step; a second one raises at once.

    Before the first step and after the last there is nothing to wait for, so the first raises too.

    Python's own handler raises wherever the program stands. Where that is a destructor, as when a loader's workers are
    shut down after an epoch, the exception is printed and dropped, and the work would go on.

    Args:
        patient: don't raise at a second signal either. Of several processes none may leave the others waiting, and who
            has started them passes on what the terminal has sent already.

    Attributes:
        received: whether there was a signal.
        stepping: whether training goes from step to step now.
        listens: whether its handlers are in place.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.received = self.stepping = self.listens = False
        self.patient = patient

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals while this lasts; outside the main thread, where Python allows no handlers, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        self.listens = True
        try:
            yield
        except SystemExit:  # Lightning's answer to a KeyboardInterrupt
            raise KeyboardInterrupt from None
        finally:
            self.listens = False
            for number, handler in before.items():
                signal.signal(number, handler)

    def begin_steps(self) -> None:
        """From now on a signal waits for the end of a step; other handlers that were put in front are replaced."""
        self.stepping = True
        if threading.current_thread() is threading.main_thread() and self.listens:
            for number in SIGNALS:
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: Any) -> None:
        again, self.received = self.received, True
        if not self.stepping or (again and not self.patient):
            raise KeyboardInterrupt
