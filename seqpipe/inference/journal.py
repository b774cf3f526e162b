"""What is finished of a long run over many inputs, on disk: answers, and a checksummed list of windows beside them."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from seqpipe.core.files import companion, lock, sync
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.same_inputs import differing_inputs, is_fingerprint
from seqpipe.inference.window import Budget

FORMAT = 2
"""1 had checksums that didn't depend on the lines before."""
BLOCK = 1 << 20
MAX_COUNT = 2**62
"""No count, and no number of bytes, comes near."""


@dataclass(frozen=True)
class _Settings:
    """The first line of the list."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class _Window:
    """A line of the list: a finished window."""

    inputs: int
    digest: str
    bytes: int
    answers: str
    failures: Mapping[str, int]
    seconds: float

    def __post_init__(self) -> None:
        _must(all(map(_is_count, (self.inputs, self.bytes))))
        _must(isinstance(self.digest, str) and isinstance(self.answers, str))
        _must(isinstance(self.failures, dict) and all(map(_is_count, self.failures.values())))
        _must(type(self.seconds) in (int, float) and 0 <= self.seconds < math.inf)


@dataclass(frozen=True)
class _Budget:
    """A line of the list: from a chunk on, batches are smaller."""

    window: int
    chunk: int
    steps: int

    def __post_init__(self) -> None:
        _must(all(map(_is_count, (self.window, self.chunk, self.steps))) and self.steps > 0)


@dataclass(frozen=True)
class _Done:
    """The last line of the list."""


_KINDS: dict[str, Callable[..., Any]] = {"window": _Window, "budget": _Budget, "done": _Done}


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < MAX_COUNT


def _must(holds: bool) -> None:
    if not holds:
        raise ValueError("a value that no journal has")


def _parse(text: bytes) -> Any:
    """A line of the list; raises `ValueError` or `TypeError` at anything else, which is damage."""
    content = json.loads(text)
    _must(isinstance(content, dict))
    kind = content.pop("kind", None)
    if kind == "settings":
        return _Settings(content)
    _must(isinstance(kind, str) and kind in _KINDS)
    return _KINDS[kind](**content)


class Journal:
    """Finished windows beside an output: ``<output>.partial`` has their answers, ``<output>.journal`` vouches for them.

    A window is safe as soon as `add` returns: its answers are on disk before the line that says so. What stands behind
    the last such line is of a window that was interrupted, and cut off by `resume`. So is what stands behind damage, of
    either file: a line's checksum goes over the lines before it too. The list stays when the output is written, to say
    what it answers.

    Attributes:
        store: JSON lines, an answer each.
        windows: finished.
        inputs: answered in them.
        failures: among these, by kind.
        seconds: of input in them.
        digests: of each window's inputs, and how many they are.
        budgets: that memory made smaller.
        done: whether all inputs are answered, and only the output was still to be written.
        damage: what `resume` found damaged, and what it does about it; None if nothing was.
    """

    def __init__(self, output: str) -> None:
        self.output = output
        self.store, self.path = companion(Path(output), ".partial"), companion(Path(output), ".journal")
        self.inputs, self.size, self.seconds = 0, 0, 0.0
        self.failures: Counter[str] = Counter()
        self.digests: list[tuple[int, str]] = []
        self.budgets: list[Budget] = []
        self.done = False
        self.damage: str | None = None
        self._sum, self._length = 0, 0  # checksum and bytes of the list so far
        self._answers: IO[bytes] | None = None
        self._lines: IO[bytes] | None = None

    @property
    def windows(self) -> int:
        """How many are finished."""
        return len(self.digests)

    def create(self, settings: Mapping[str, Any]) -> None:
        """Begin a new one; what stood there is gone.

        Raises:
            ConfigError: somebody else writes it now.
            OSError: the folder can't be written to.
        """
        try:
            self.store.parent.mkdir(parents=True, exist_ok=True)
            self._lines = self._locked("ab")
        except OSError as error:
            raise OSError(f"--output {self.output}: can't be written there: {error.strerror} ({self.path})") from None
        self._answers = self.store.open("wb")  # before the list is: answers for which nothing vouches are a riddle
        self._lines.truncate(0)
        self._write("settings", {"format": FORMAT, **settings})
        sync(self.path.parent)

    def resume(self, settings: Mapping[str, Any]) -> None:
        """Go on behind the last finished window that is whole, as are those before it.

        Raises:
            ConfigError: the run was begun with other settings: each is named with both values; or somebody else goes on
            with it now.
            DataError: the files are of another version, one of them is gone, or the line with the settings is damaged.
        """
        records = list(self._read())
        if not records:
            if self.store.exists() and self.store.stat().st_size:
                raise DataError(
                    f"{self.damage or f'{self.path}: is gone or empty'}; nothing else vouches for the answers in "
                    f"{self.store}: put the file back, or start again with --overwrite"
                )
            self.damage = None
            self.create(settings)  # killed in its first moments
            return
        self._compare(records[0][0], settings)
        self.done = any(isinstance(record, _Done) for record, _, _ in records)
        if not self.store.exists():
            if not self.done:
                if self.damage and Path(self.output).exists():
                    raise DataError(
                        f"{self.damage}; so nothing tells whether {self.output} is finished, which is left as it is: "
                        f"if it is, {self.path} may be deleted; or start again with --overwrite"
                    )
                raise DataError(
                    f"{f'{self.damage}; ' if self.damage else ''}{self.store}: is gone, with the answers so far; put "
                    "the file back, or start again with --overwrite"
                )
            for record, _, _ in records:  # the store has become the output
                if isinstance(record, _Window):
                    self._count(record)
            return
        self._lines = self._locked("r+b")
        with self.store.open("rb") as answers:
            for record, checksum, end in records:
                if isinstance(record, _Budget):
                    self.budgets.append(Budget(record.window, record.chunk, record.steps))
                elif isinstance(record, _Window):
                    if _digest(answers, record.bytes) != record.answers:
                        self.damage = (
                            f"{self.store}: the answers of window {self.windows} are not those that were written"
                        )
                        self.done = False
                        break
                    self._count(record)
                self._sum, self._length = checksum, end
        if self.damage is not None:
            self.damage += (
                f"; going on behind the {self.windows} windows ({self.inputs} inputs) that are whole before it"
            )
        self._answers = self.store.open("r+b")
        self._answers.truncate(self.size)
        self._answers.seek(self.size)
        self._lines.truncate(self._length)
        self._lines.seek(self._length)

    def add(self, answers: bytes, digest: str, inputs: int, failures: Mapping[str, int], seconds: float) -> None:
        """Make a window's answers safe.

        Raises:
            OSError: no space left, say, or somebody else has changed the files; the windows before are still whole.
        """
        if self._answers is None:
            raise RuntimeError("call create or resume first")
        self.check()
        self._answers.write(answers)
        self._answers.flush()
        os.fsync(self._answers.fileno())
        record = _Window(
            inputs=inputs,
            digest=digest,
            bytes=len(answers),
            answers=blake2b(answers, digest_size=16).hexdigest(),
            failures=dict(failures),
            seconds=round(seconds, 3),
        )
        self._write("window", asdict(record))
        self._count(record)

    def check(self) -> None:
        """See that both files are still those that were opened, and of the size to which they were written.

        Raises:
            OSError: another program has moved, replaced, truncated or lengthened one.
        """
        for file, path, size in ((self._answers, self.store, self.size), (self._lines, self.path, self._length)):
            if file is None:
                raise RuntimeError("call create or resume first")
            opened = os.fstat(file.fileno())
            if not path.exists() or not os.path.samestat(path.stat(), opened):
                raise OSError(f"{path}: was moved, deleted or replaced while the answers were written to it")
            if opened.st_size != size:
                raise OSError(
                    f"{path}: has {opened.st_size} bytes where {size} were written, so another program has changed it "
                    "meanwhile; --resume goes on behind the last window that is whole"
                )

    def lower_budget(self, budget: Budget) -> None:
        """Note a smaller budget before it is used; raises `OSError` as `add` does."""
        self.check()
        self._write("budget", budget._asdict())
        self.budgets.append(budget)

    def finish(self) -> None:
        """All inputs are answered; what is left is to turn the answers into the output.

        Raises:
            OSError: as of `check`.
        """
        self.check()
        if not self.done:
            self._write("done", {})
            self.done = True

    def close(self) -> None:
        """Close the files; they stay."""
        for file in (self._answers, self._lines):
            if file is not None:
                file.close()
        self._answers = self._lines = None

    def _locked(self, mode: str) -> IO[bytes]:
        """The list of windows, open, and nobody else's while it is; a process that was killed holds it no more."""
        file: IO[bytes] = self.path.open(mode)
        if not lock(file):
            file.close()
            raise ConfigError(
                f"--output {self.output}: another process is writing it; wait for its end, or give another name"
            )
        return file

    def _count(self, record: _Window) -> None:
        self.inputs += record.inputs
        self.size += record.bytes
        self.seconds += record.seconds
        self.failures.update(record.failures)
        self.digests.append((record.inputs, record.digest))

    def _write(self, kind: str, record: Mapping[str, Any]) -> None:
        if self._lines is None:
            raise RuntimeError("call create or resume first")
        text = json.dumps({"kind": kind, **record}, sort_keys=True).encode()
        self._sum = zlib.crc32(text, self._sum)
        self._length += self._lines.write(b"%08x %s\n" % (self._sum, text))
        self._lines.flush()
        os.fsync(self._lines.fileno())

    def _read(self) -> Iterator[tuple[Any, int, int]]:
        """Records up to the first that is not whole, each with the checksum and the bytes of the list until then."""
        lines = []
        if self.path.exists():
            with self.path.open("rb") as file:
                lines = file.readlines()
        checksum, end = 0, 0
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n") and number == len(lines):
                return  # killed while it was written
            written, _, text = line.rstrip(b"\n").partition(b" ")
            checksum, end = zlib.crc32(text, checksum), end + len(line)
            try:
                record = _parse(text) if written == b"%08x" % checksum else None
            except (ValueError, TypeError, RecursionError):
                record = None
            if record is None or isinstance(record, _Settings) != (number == 1):
                self.damage = f"{self.path}, line {number}: is damaged"
                return
            yield record, checksum, end

    def _compare(self, first: _Settings, settings: Mapping[str, Any]) -> None:
        before = dict(first.values)
        if before.pop("format", None) != FORMAT:
            raise DataError(f"{self.path}: is of another version of seqpipe; finish it with that, or use --overwrite")
        now = json.loads(json.dumps(settings))
        changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        if changed:
            lines = []
            for name in changed:
                one_line = [f"{name}: {_shown(before.get(name))}, now {_shown(now.get(name))}"]
                is_known = name == "inputs" and all(map(is_fingerprint, (before.get(name), now.get(name))))
                lines += differing_inputs(before[name], now[name]) if is_known else one_line
            raise ConfigError(
                f"{self.output}: was begun otherwise, so --resume would mix what doesn't belong together\n"
                + "\n".join(f"  {line}" for line in lines)
                + "\ngo on with the command as it was, or start again with --overwrite"
            )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "..."


def _digest(file: IO[bytes], size: int) -> str:
    state = blake2b(digest_size=16)
    while size:
        block = file.read(min(size, BLOCK))
        if not block:
            break
        state.update(block)
        size -= len(block)
    return state.hexdigest() if not size else "too short"
