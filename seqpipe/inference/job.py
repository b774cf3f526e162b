"""A run over many inputs that can be left alone: windows in, a durable output out."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from seqpipe.answers.failure import Failure
from seqpipe.core.command import DONE, SOME_FAILED
from seqpipe.core.files import target_of
from seqpipe.core.interruption import Interruption
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.formats.choose import FOLDERS, RECORDINGS, check_place
from seqpipe.inference.formats.folder import RECORDING
from seqpipe.inference.formats.output import write_output
from seqpipe.inference.formats.recordings import Recording, RecordingNames, recording_of_row
from seqpipe.inference.formats.store import encode
from seqpipe.inference.journal import Journal
from seqpipe.inference.slot import Pause, Slot, digest_of, make_slot
from seqpipe.inference.window import Window

Windows = Callable[[Iterable[Any], int], Iterator[Window | Pause]]
"""Answers to inputs, the first window having this number."""


@dataclass(slots=True)
class Summary:
    """What a run over inputs came to.

    Attributes:
        inputs: answered, failures among them, kept ones too.
        kept: of these, answered by a run before that was resumed.
        failures: by kind.
        seconds: of input, in the features' unit, without what was kept.
        elapsed: seconds that it took.
        spent: seconds by stage, summed over threads and processes.
        finished: whether all inputs are answered; otherwise a signal came.
        warnings: about inputs that were answered, by kind, without what was kept.
        passed_over: files in folders that are no inputs, by ending.
    """

    inputs: int = 0
    kept: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    elapsed: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    finished: bool = False
    warnings: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """How many inputs could not be answered."""
        return sum(self.failures.values())

    def exit_status(self) -> int:
        """Of a command that answers inputs; raises `KeyboardInterrupt` where a signal ended it."""
        if not self.finished:
            raise KeyboardInterrupt
        return SOME_FAILED if self.failed else DONE


class Job:
    """Writes the answers to inputs into an output, window by window.

    Args:
        output: a file or a folder, or ``-`` for standard output, which has no journal.
        kind: format of the output; see `seqpipe.inference.formats`.
        prediction: type of the head's answers.
        settings: all that the answers depend on; a resumed run must have the same.
        columns: of an input's source, those that its answer depends on.
        strict: end at the first input that can't be answered.
        on_window: told after every window that is safe.

    Attributes:
        recordings: what CTM calls them, where others than this job's count too; else None.
    """

    def __init__(
        self,
        output: str,
        kind: str,
        prediction: type,
        settings: Mapping[str, Any],
        *,
        columns: Sequence[str] = (),
        strict: bool = False,
        on_window: Callable[[Window, Summary], None] | None = None,
    ) -> None:
        self.output, self.kind, self.prediction, self.settings = output, kind, prediction, settings
        self.columns, self.strict, self.on_window = columns, strict, on_window
        self.journal = Journal(output) if output != "-" else None
        self.summary = Summary()
        self.recordings: RecordingNames | None = None
        self._asked: deque[Recording] | None = deque() if kind in RECORDINGS else None

    def begin(self, *, resume: bool, overwrite: bool) -> bool:
        """Open the journal; whether there is anything left to do.

        Raises:
            ConfigError: the output is there already, or was begun and ``resume`` not given, or with other settings.
            DataError: nothing vouches for the answers, or they are gone.
            OSError: its folder can't be written to.
        """
        journal, output = self.journal, Path(self.output)
        if journal is None:
            return True
        if overwrite:
            if self.kind in FOLDERS and output.is_dir():
                check_replaceable(output, self.kind)
            else:
                check_place(output, self.kind)
            journal.create(self.settings)
            return True
        is_there = output.is_file() or (self.kind in FOLDERS and output.is_dir() and any(output.iterdir()))
        if is_there and not journal.store.exists() and not resume:
            raise ConfigError(f"--output {self.output}: is there already; choose another name, or --overwrite")
        if journal.store.exists() or (journal.path.exists() and is_there):
            if not resume:
                raise ConfigError(
                    f"--output {self.output}: a run was begun here and not finished; --resume goes on with it, "
                    "--overwrite starts again"
                )
            journal.resume(self.settings)
            self.summary.inputs = self.summary.kept = journal.inputs
            self.summary.failures = Counter(journal.failures)
            return not (journal.done and is_there and not journal.store.exists())
        if is_there:
            raise ConfigError(
                f"--output {self.output}: is there already, and no {journal.path.name} says what it answers; choose "
                "another name, or --overwrite"
            )
        check_place(output, self.kind)
        journal.create(self.settings)
        return True

    def run(self, inputs: Iterable[Any], windows: Windows, interruption: Interruption) -> Summary:
        """Answer the inputs that are left.

        Args:
            inputs: all of them, from the first.
            windows: answers them.
            interruption: a signal ends the run after the window in hand.

        Raises:
            ConfigError: inputs that were answered before are others now.
            DataError: of the first failure, if strict.
        """
        started = time.perf_counter()
        given = self._noting(inputs)
        first = self._skip(given)
        interruption.begin_steps()
        stream = windows(given, first)
        try:
            for window in stream:
                if isinstance(window, Window):
                    self._take(window)
                self.summary.elapsed = time.perf_counter() - started
                if isinstance(window, Window) and self.on_window is not None:
                    self.on_window(window, self.summary)
                if interruption.received:
                    break
            else:
                interruption.stepping = False
                # A stream into a pipe ends where its input pauses, when told to; nothing says that it was all.
                self.summary.finished = not (self.journal is None and interruption.received)
                self._finish()
        finally:
            interruption.stepping = False
            close = getattr(stream, "close", None)
            if close is not None:
                close()
            if self.journal is not None:
                self.journal.close()
        self.summary.elapsed = time.perf_counter() - started
        return self.summary

    def _noting(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """Inputs as they come, of which is kept what they are of until they are answered."""
        for item in inputs:
            if self._asked is not None and not isinstance(item, Pause):
                self._asked.append(recording_of_row(item))
            yield item

    def _of(self) -> dict[str, Any]:
        """What the next answer is of, where files are called after it."""
        return {} if self._asked is None else {RECORDING: self._asked.popleft()}

    def _skip(self, given: Iterator[Any]) -> int:
        """Pass over what the journal has, and see that it is the same; the number of the next window."""
        done = 0
        for count, digest in self.journal.digests if self.journal is not None else ():
            slots: list[Slot] = []
            for item in islice((item for item in given if not isinstance(item, Pause)), count):
                slots.append(make_slot(item, done + len(slots) + 1, columns=self.columns))
            if digest_of(slots) != digest:
                raise ConfigError(
                    f"{self.output}: the inputs are not those that the run was begun with: the first difference is "
                    f"among {done + 1} to {done + count} ({slots[0].id if slots else 'which are missing'} ...); "
                    "give the same inputs, or start again with --overwrite"
                )
            done += count
            if self._asked is not None:
                self._asked.clear()
        return len(self.journal.digests) if self.journal is not None else 0

    def _take(self, window: Window) -> None:
        if self.strict:
            for answer in window.answers:
                if isinstance(answer, Failure):
                    raise DataError(f"{answer.message} ({answer.kind}); --strict ends here")
        started = time.perf_counter()
        lines = b"".join(encode(answer.to_json() | self._of()) for answer in window.answers)
        if self.journal is None:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
        else:
            self.journal.add(lines, window.digest, len(window.answers), window.failures, window.seconds)
        self._spend(started)
        self.summary.inputs += len(window.answers)
        self.summary.failures.update(window.failures)
        self.summary.seconds += window.seconds
        self.summary.warnings.update(kind for kind, _ in window.warnings)

    def _finish(self) -> None:
        if self.journal is None:
            return
        started = time.perf_counter()
        self.journal.finish()
        output = Path(self.output)
        # With --overwrite, or where it was killed right after this.
        if self.kind in FOLDERS and output.is_dir() and any(output.iterdir()):
            check_replaceable(output, self.kind)
            shutil.rmtree(target_of(output))
        if self.kind == "jsonl":  # which the store becomes
            self.journal.close()
            write_output(self.journal.store, self.kind, output, self.prediction, self.recordings)
        else:
            write_output(self.journal.store, self.kind, output, self.prediction, self.recordings)
            self.journal.check()  # what was read was all
            self.journal.close()
            self.journal.store.unlink()
        self._spend(started)

    def _spend(self, started: float) -> None:
        spent = self.summary.spent
        spent["writing"] = spent.get("writing", 0.0) + time.perf_counter() - started


def check_replaceable(output: Path, kind: str) -> None:
    """A folder is replaced as a whole: it must hold nothing but what an earlier run wrote.

    Raises:
        ConfigError: it holds something else.
    """
    for path in output.rglob("*"):
        if path.is_file() and path.suffix != FOLDERS[kind] and path.name != "failures.jsonl":
            raise ConfigError(
                f"--output {output}: holds {path.relative_to(output)}, so --overwrite would delete more "
                f"than {FOLDERS[kind]} files; name another folder"
            )
