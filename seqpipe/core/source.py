"""What a head may ask about the input that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from seqpipe.core.item import Item


class Located(Protocol):
    """Where the parts of an answer lie in its input."""

    def __call__(self, steps: Tensor) -> Tensor:
        """Encoded steps (fractions too) as places in the input: seconds, pixels, points."""
        ...

    @property
    def items(self) -> Sequence[Item]:
        """The words of a text."""
        ...

    @property
    def text(self) -> str:
        """The text that the words have their places in."""
        ...

    @property
    def cut(self) -> int:
        """Tokens at the end of the input that the features have left out."""
        ...
