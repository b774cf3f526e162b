"""What every answer has, and what else it may say of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import repeat
from math import isfinite
from typing import Any, ClassVar, Self

INTERNAL = "internal"
"""In the metadata of a field of an answer, or of a part of one: no format writes it."""


@dataclass(frozen=True)
class Mark:
    """A part of an answer with its place in the input: a token of a transcript, say.

    Attributes:
        text: the part.
        start: where it begins, in the measure of the input (seconds for audio).
        end: where it ends.
        confidence: 0 to 1.
        item: which of the answer's items (words) it belongs to, counted from 0; None if to none.
    """

    text: str
    start: float
    end: float
    confidence: float
    item: int | None = None


@dataclass(frozen=True)
class Confidences:
    """Of an answer's parts of one kind, in their order.

    Attributes:
        values: probabilities of being right, 0 to 1.
        features: what else speaks for or against a part, by name, a number a part.
    """

    values: Sequence[float]
    features: Mapping[str, Sequence[float]] = field(default_factory=dict)


class Answer:
    """The base of what heads answer with: a frozen dataclass with ``id`` and ``confidence``, a probability, 0 to 1.

    What is below has the defaults of an answer that says no more.
    """

    __slots__ = ()
    mapped: ClassVar[tuple[str, ...]] = ()
    """Kinds of `confidences` that may be changed each by itself, since they are no shares of one distribution."""
    id: str
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """One JSON object: the fields."""
        return asdict(self)  # type: ignore[call-overload]

    @property
    def marks(self) -> Sequence[Mark]:
        """Parts that have a place in the input, in their order."""
        return ()

    @property
    def class_probabilities(self) -> Sequence[tuple[str, float]]:
        """What was chosen between, with probabilities, falling."""
        return ()

    @property
    def item_confidences(self) -> Sequence[float]:
        """The confidence of each item that the metric aligns, 0 to 1; none where only the whole has one."""
        return ()

    @property
    def confidences(self) -> Mapping[str, Confidences]:
        """All that can be right or wrong, by kind: ``answers`` (the whole), and what it has besides, such as words."""
        return {"answers": Confidences([self.confidence])}

    def with_confidences(self, values: Mapping[str, Sequence[float]]) -> Self:
        """The same answer with other confidences, of some kinds of `confidences`."""
        return replace(self, confidence=values["answers"][0]) if "answers" in values else self  # type: ignore[type-var]


def is_finite(value: Any) -> bool:
    """Whether all numbers in an answer, or in a part of one, are finite."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, (str, int)) or value is None:
        return True
    if isinstance(value, (tuple, list)):
        parts: Iterable[Any] = value
    elif fields := getattr(value, "__dataclass_fields__", None):
        parts = map(getattr, repeat(value), fields)
    else:
        parts = value.values() if isinstance(value, Mapping) else ()
    for part in parts:  # every answer passes here, so what needs no call has none
        kind = type(part)
        if not (isfinite(part) if kind is float else kind is str or is_finite(part)):
            return False
    return True
