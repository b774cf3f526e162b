"""Values out of YAML that remember how they were written, since ``yes``, ``007`` and ``1.0`` may be names."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator


class Written:
    """A number with the text that it was read from."""

    written: str

    def __new__(cls, value: Any, written: str = "") -> Self:
        """As the number's own type; ``written`` is what stood there."""
        made = super().__new__(cls, value)  # type: ignore[call-arg]  # of `int` or `float`, which stands behind this
        made.written = written
        return made


class WrittenInteger(Written, int):
    """A whole number with the text that it was read from."""


class WrittenBoolean(WrittenInteger):
    """True or false with the text that it was read from; options of `bool` take it for what it is."""

    def __repr__(self) -> str:
        return self.written


class WrittenFloat(Written, float):
    """A number with a fraction, or of this form, with the text that it was read from."""


def _as_name(value: Any) -> Any:
    if isinstance(value, Written):
        return value.written
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int) else value


Name = Annotated[str, BeforeValidator(_as_name)]
"""The name of a class or a column: text, also where YAML reads a truth value or a number."""


def unwritten(value: Any) -> Any:
    """Plain values again, in lists and mappings too; there a truth value becomes its text.

    An option that takes truth values reads such a text, and one that takes names needs it.
    """
    if isinstance(value, list):
        return [item.written if isinstance(item, WrittenBoolean) else unwritten(item) for item in value]
    if isinstance(value, dict):
        return {key: unwritten(item) for key, item in value.items()}
    if isinstance(value, WrittenBoolean):
        return bool(value)
    if isinstance(value, WrittenInteger):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value
