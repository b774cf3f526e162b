"""How far a run over inputs has come: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from seqpipe.answers.failure import Failure
from seqpipe.core.measure import Measure
from seqpipe.data.formats.walk import endings
from seqpipe.inference.job import Summary
from seqpipe.inference.window import Window

SHOWN = 20
"""Failures, or warnings, of a kind: the output has all of the former."""
FIRST_LINE, LATER_LINES = 10.0, 60.0
"""Seconds from one plain line to the next: at first, and after a minute."""


class Progress:
    """Shows windows as they are done, on standard error.

    Args:
        measure: of the inputs.
        count: says how many inputs there are, or None; called in a thread of its own.
        quiet: show nothing but failures' number at the end.
    """

    def __init__(self, measure: Measure, count: Callable[[], int | None], *, quiet: bool = False) -> None:
        self.measure, self.quiet = measure, quiet
        self.total: int | None = None
        self._shown: Counter[tuple[str, str]] = Counter()
        self._started = self._line = time.perf_counter()
        self._bar: Any = None
        self._task: Any = None
        self._count = count

    def __enter__(self) -> Progress:
        if not self.quiet:
            threading.Thread(target=self._find_total, daemon=True).start()
            if sys.stderr.isatty():
                self._make_bar()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, message: str) -> None:
        """A line of its own."""
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            print(message, file=sys.stderr, flush=True)

    def update(self, window: Window, summary: Summary) -> None:
        """A window is safe."""
        if self.quiet:
            return
        for answer in window.answers:
            if isinstance(answer, Failure):
                self._tell("failed", answer.kind, answer.message, "stand in the output alone")
        for kind, message in window.warnings:
            self._tell("warning", kind, message, "are counted at the end")
        if self._bar is not None:
            self._bar.update(self._task, completed=summary.inputs, total=self.total, text=self._text(summary))
            return
        now = time.perf_counter()
        if now - self._line >= (FIRST_LINE if now - self._started < LATER_LINES else LATER_LINES):
            self._line = now
            self.say(self._text(summary))

    def _tell(self, what: str, kind: str, message: str, where: str) -> None:
        self._shown[what, kind] += 1
        if self._shown[what, kind] <= SHOWN:
            self.say(f"{what}: {message}")
        elif self._shown[what, kind] == SHOWN + 1:
            self.say(f"{what} ({kind}): more of this kind {where}")

    def _text(self, summary: Summary) -> str:
        new = summary.inputs - summary.kept
        total = "" if self.total is None else f" of {self.total:,}"
        parts = [f"{summary.inputs:,}{total} inputs"]
        if summary.elapsed > 0:
            parts.append(amount(summary.seconds, self.measure) + ", " + speed(summary, self.measure))
        if summary.failed:
            parts.append(f"{summary.failed:,} failed")
        if self.total is not None and new:
            parts.append(f"{clock(summary.elapsed / new * max(0, self.total - summary.inputs))} left")
        return ", ".join(parts)

    def _make_bar(self) -> None:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar
        except ImportError:  # the runtime's small distribution goes without: plain lines there too
            return

        self._bar = Bar(BarColumn(16), TextColumn("{task.fields[text]}"), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None, text="loading")
        self._bar.start()

    def _find_total(self) -> None:
        self.total = self._count()


def describe(summary: Summary, measure: Measure, spent: dict[str, float]) -> str:
    """The closing summary, some lines: inputs, failures by kind, speed, where the time went."""
    new = summary.inputs - summary.kept
    done = f"{new:,} inputs, {amount(summary.seconds, measure)}, in {summary.elapsed:.1f} s: {speed(summary, measure)}"
    if measure.is_time and summary.seconds:
        done += f" (real-time factor {summary.elapsed / summary.seconds:.4f})"
    lines = [done]
    if not summary.inputs:
        lines = ["there were no inputs"]
    if summary.kept:
        lines.append(f"{summary.kept:,} more were kept from before: {summary.inputs:,} in all")
    if summary.failed:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.failures.most_common())
        lines.append(f"{summary.failed:,} failed: {kinds}")
    if summary.warnings:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.warnings.most_common())
        lines.append(f"{summary.warnings.total():,} warnings: {kinds}")
    if summary.passed_over:
        lines.append(f"{summary.passed_over.total():,} files in folders passed over: {endings(summary.passed_over)}")
    whole = sum(spent.values())
    if whole > 0:
        shares = ", ".join(f"{name} {100 * seconds / whole:.0f} %" for name, seconds in spent.items())
        lines.append(f"time of all threads and processes: {shares}")
    return "\n".join(lines)


def amount(seconds: float, measure: Measure) -> str:
    """How much input: ``1:02:03 of audio``, or a number of steps."""
    return f"{clock(seconds)} of audio" if measure.is_time else f"{seconds:,.0f} {measure.name}s"


def speed(summary: Summary, measure: Measure) -> str:
    """``312 times real time``."""
    rate = summary.seconds / summary.elapsed if summary.elapsed > 0 else 0.0
    return f"{rate:.0f} times real time" if measure.is_time else f"{rate:,.0f} {measure.name}s a second"


def clock(seconds: float) -> str:
    """``1:02:03``, or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
