"""What an engine gives: answers to inputs that were looked at together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqpipe.answers.failure import Failure


class Budget(NamedTuple):
    """From a chunk on, batches have this budget of padded steps, since memory ran out with the one before."""

    window: int
    chunk: int
    steps: int


@dataclass(slots=True)
class Window:
    """Answers to inputs that were looked at together.

    Attributes:
        number: from 0.
        answers: predictions and failures, in input order.
        digest: of the inputs: of their ids, paths and spans.
        seconds: of input, in the features' measure.
        warnings: what is odd about inputs, each a kind and a message.
    """

    number: int
    answers: list[Any]
    digest: str
    seconds: float
    warnings: Sequence[tuple[str, str]] = ()

    @property
    def failures(self) -> Counter[str]:
        """By kind."""
        return Counter(answer.kind for answer in self.answers if isinstance(answer, Failure))
