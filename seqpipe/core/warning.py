"""What is odd about an input that can be used, told to whoever asked while it was prepared."""

from __future__ import annotations

import threading

Warnings = list[tuple[str, str]]
"""Each a short fixed kind and a message that names the input."""


class _Heard(threading.local):
    warnings: Warnings | None = None


_heard = _Heard()


class collecting_warnings:
    """A list of what `warn` is told by this thread while this lasts."""

    def __enter__(self) -> Warnings:
        """The list."""
        collected: Warnings = []
        self._before, _heard.warnings = _heard.warnings, collected
        return collected

    def __exit__(self, *error: object) -> None:
        """Whoever listened before hears again."""
        _heard.warnings = self._before


def warn(kind: str, message: str) -> None:
    """Tell what is odd about an input in hand; nobody hears it outside of `collecting_warnings`.

    Args:
        kind: a short fixed word for summaries.
        message: names the input.
    """
    if _heard.warnings is not None and (kind, message) not in _heard.warnings:
        _heard.warnings.append((kind, message))
