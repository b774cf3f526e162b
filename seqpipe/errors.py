"""The mistakes that seqpipe explains instead of showing a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

MAX_LISTED = 5
"""Of rows that a message names."""
Result = TypeVar("Result")
Default = TypeVar("Default")


MAX_PROBLEMS = 20
"""Of a recipe, that are told at once."""


def listed(messages: Sequence[str], of: str = "") -> list[str]:
    """The first messages, a line each, and how many more there are (``of`` what, where that is told)."""
    more = len(messages) - MAX_LISTED
    return [*(f"  {message}" for message in messages[:MAX_LISTED]), *([f"  and {more:,} more{of}"] if more > 0 else [])]


class SeqpipeError(Exception):
    """Base of all errors that a user can mend; the message says which item, what was received and what to do."""


class ConfigError(SeqpipeError, ValueError):
    """A recipe, an override or a constructor argument is wrong.

    Attributes:
        problems: pairs of a key path (``("pipeline", "encoder", "layers")``) and what is wrong there; the first 20.
    """

    def __init__(self, problems: str | Iterable[tuple[tuple[str, ...], str]], *, source: str | None = None) -> None:
        self.problems = [((), problems)] if isinstance(problems, str) else list(problems)[:MAX_PROBLEMS]
        self.source = source
        lines = [f"{'.'.join(path)}{' ' if path else ''}{message}" for path, message in self.problems]
        super().__init__("\n".join(f"{source}: {line}" if source else line for line in lines))

    def within(self, *prefix: str, source: str | None = None) -> ConfigError:
        """The same problems, seen from further out."""
        return ConfigError(
            [((*prefix, *path), message) for path, message in self.problems], source=source or self.source
        )


class DataError(SeqpipeError, ValueError):
    """A source of rows can't be read as the recipe says."""


class InputError(SeqpipeError, ValueError):
    """One input can't be used; the others can.

    Attributes:
        kind: a short fixed word for summaries: ``missing``, ``not a file``, ``unreadable``, ``undecodable``,
            ``truncated``, ``empty``, ``non-finite``, ``too long``, ``too large``, ``no target``, ``unknown character``,
            ``unknown label``, ``wrong number of tags``,
            ``too short for its label``, ``bad value``, ``unsafe``.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str]]:
        return type(self), (self.kind, str(self))  # it travels from worker processes


def read_or(default: Default, read: Callable[[Any], Result], raw: Any) -> Result | Default:
    """What ``read`` makes of an input or a target; the default where that raises `InputError`."""
    try:
        return read(raw)
    except InputError:
        return default


class decoding:
    """Whatever a library raises while it decodes an input is that input's failure: of which types, no library says.

    Args:
        name: of the input, for the message.
        wanted: what it should be, with its article: "an image".

    Raises:
        InputError: in the place of any `Exception`: ``unreadable`` where the system refused, ``too large`` where memory
            did not suffice, ``truncated`` where the library says so, else ``undecodable``.
    """

    def __init__(self, name: object, wanted: str) -> None:
        self.name, self.wanted = name, wanted

    def __enter__(self) -> None:
        """Nothing to begin with."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise what the error means."""
        if error is None or isinstance(error, SeqpipeError) or not isinstance(error, Exception):
            return
        name = self.name
        if isinstance(error, MemoryError):
            raise InputError("too large", f"{name}: doesn't fit into memory ({error or 'MemoryError'})") from error
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError("unreadable", f"{name}: {error.strerror or error}") from error
        said = getattr(error, "error_string", None) or str(error)
        if "truncated" in said.lower():
            raise InputError("truncated", f"{name}: breaks off before its end ({said})") from error
        said = (
            said
            if isinstance(error, (RuntimeError, ValueError, OSError)) and said
            else f"{type(error).__name__}: {said}"
        )
        raise InputError("undecodable", f"{name}: is not {self.wanted} that can be decoded ({said})") from error


class RunError(SeqpipeError, ValueError):
    """A run directory is unfinished, altered, truncated or of another version."""


RENAMED = {
    "longest": "max_length",
    "beyond": "overflow",
    "most_pixels": "max_pixels",
    "most_bad_steps": "max_bad_steps",
    "deviation": "standard_deviation",
    "piece_seconds": "segment_seconds",
    "piece_tokens": "segment_tokens",
    "longest_seconds": "max_seconds",
    "longest_tokens": "max_tokens",
    "longest_steps": "max_steps",
}
"""What options and settings were called in 0.1, and are called now."""


def shown(value: object) -> str:
    """A value as messages show it: as Python writes it, its beginning if that is long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def did_you_mean(received: str, known: Iterable[str]) -> str:
    """What to say behind "is not known": an option's new name, the nearest known name, else the list of them."""
    names = list(known)
    if RENAMED.get(received) in names:
        return f"; it is called {RENAMED[received]} now"
    nearest = difflib.get_close_matches(received, names, n=1, cutoff=0.6)
    if nearest:
        return f"; did you mean {nearest[0]}?"
    return f"; known: {', '.join(sorted(names))}" if names else ""
