"""What is finished of a long run over many inputs, on disk: answers, and a checksummed list of windows beside them."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from seqpipe.core.files import lock, sync
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.engine import Budget
from seqpipe.inference.same_inputs import differing_inputs

FORMAT = 1
BLOCK = 1 << 20


class Journal:
    """Finished windows beside an output: ``<output>.partial`` has their answers, ``<output>.journal`` vouches for them.

    A window is safe as soon as `add` returns: its answers are on disk before the line that says so. What stands behind
    the last such line is of a window that was interrupted, and cut off by `resume`. The list stays when the output is
    written, to say what it answers.

    Attributes:
        store: JSON lines, an answer each.
        windows: finished.
        inputs: answered in them.
        failures: among these, by kind.
        seconds: of input in them.
        digests: of each window's inputs, and how many they are.
        budgets: that memory made smaller.
        done: whether all inputs are answered, and only the output was still to be written.
    """

    def __init__(self, output: str) -> None:
        name = output.rstrip("/")
        self.output = output
        self.store, self.path = Path(f"{name}.partial"), Path(f"{name}.journal")
        self.inputs, self.size, self.seconds = 0, 0, 0.0
        self.failures: Counter[str] = Counter()
        self.digests: list[tuple[int, str]] = []
        self.budgets: list[Budget] = []
        self.done = False
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
        self._lines.truncate(0)
        self._answers = self.store.open("wb")
        self._write("settings", {"format": FORMAT, **settings})
        sync(self.path.parent)

    def resume(self, settings: Mapping[str, Any]) -> None:
        """Go on behind the last finished window.

        Raises:
            ConfigError: the run was begun with other settings: each is named with both values; or somebody else goes on
            with it now.
            DataError: the files are damaged, or of another version.
        """
        records = list(self._read())
        if not records:  # killed in its first moments
            self.create(settings)
            return
        self._compare(records[0], settings)
        self.done = any(kind == "done" for kind, _, _ in records)
        if self.done and not self.store.exists():  # it has become the output
            for kind, record, _ in records:
                if kind == "window":
                    self._count(record)
            return
        if not self.store.exists():
            raise DataError(f"{self.store}: is gone, with the answers so far; start again with --overwrite")
        self._lines = self._locked("r+b")
        good = 0
        with self.store.open("rb") as answers:
            for kind, record, line in records:
                if kind == "budget":
                    self.budgets.append(Budget(**record))
                elif kind == "window":
                    if _digest(answers, record["bytes"]) != record["answers"]:
                        raise DataError(
                            f"{self.store}: the answers of window {self.windows} are not those that were written; "
                            "restore the file, or start again with --overwrite"
                        )
                    self._count(record)
                good += len(line)
        self._answers = self.store.open("r+b")
        self._answers.truncate(self.size)
        self._answers.seek(self.size)
        self._lines.truncate(good)
        self._lines.seek(good)

    def add(self, answers: bytes, digest: str, inputs: int, failures: Mapping[str, int], seconds: float) -> None:
        """Make a window's answers safe.

        Raises:
            OSError: no space left, say; the windows before are still whole.
        """
        if self._answers is None or self._lines is None:
            raise RuntimeError("call create or resume first")
        for file, path in ((self._answers, self.store), (self._lines, self.path)):
            if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                raise OSError(f"{path}: was moved or deleted while the answers were written to it")
        self._answers.write(answers)
        self._answers.flush()
        os.fsync(self._answers.fileno())
        record = {
            "inputs": inputs,
            "digest": digest,
            "bytes": len(answers),
            "answers": blake2b(answers, digest_size=16).hexdigest(),
            "failures": dict(failures),
            "seconds": round(seconds, 3),
        }
        self._write("window", record)
        self._count(record)

    def lower_budget(self, budget: Budget) -> None:
        """Note a smaller budget before it is used."""
        self._write("budget", budget._asdict())
        self.budgets.append(budget)

    def finish(self) -> None:
        """All inputs are answered; what is left is to turn the answers into the output."""
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

    def _count(self, record: Mapping[str, Any]) -> None:
        self.inputs += record["inputs"]
        self.size += record["bytes"]
        self.seconds += record["seconds"]
        self.failures.update(record["failures"])
        self.digests.append((record["inputs"], record["digest"]))

    def _write(self, kind: str, record: Mapping[str, Any]) -> None:
        if self._lines is None:
            raise RuntimeError("call create or resume first")
        text = json.dumps({"kind": kind, **record}, sort_keys=True).encode()
        self._lines.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._lines.flush()
        os.fsync(self._lines.fileno())

    def _read(self) -> Iterator[tuple[str, dict[str, Any], bytes]]:
        """Records up to the first that is not whole; only the last line may be so."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        for number, line in enumerate(lines, 1):
            crc, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or crc != b"%08x" % zlib.crc32(text):
                if number < len(lines):
                    raise DataError(f"{self.path}, line {number}: is damaged; start again with --overwrite")
                return
            record = json.loads(text)
            yield record.pop("kind"), record, line

    def _compare(self, first: tuple[str, dict[str, Any], bytes], settings: Mapping[str, Any]) -> None:
        kind, before, _ = first
        if kind != "settings" or before.pop("format", None) != FORMAT:
            raise DataError(f"{self.path}: is of another version of seqpipe; finish it with that, or use --overwrite")
        now = json.loads(json.dumps(settings))
        changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        if changed:
            lines = []
            for name in changed:
                one_line = [f"{name}: {_shown(before.get(name))}, now {_shown(now.get(name))}"]
                lines += differing_inputs(before[name], now[name]) if name == "inputs" else one_line
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
