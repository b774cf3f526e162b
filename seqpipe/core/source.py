"""Where an answer's parts lie in its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqpipe.core.item import Item

if TYPE_CHECKING:  # runtimes without torch refer to inputs too
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """An input as answers refer to it; a reader makes one of each (`Reader.source`).

    Attributes:
        text: of an input that is text, as it was given; items have their places in it.
        items: what it is a sequence of, if it has parts that a person would name: words.
        truncated: tokens at its end that are not read.
        origin: where it begins in what it was cut out of.
        scale: what places in the prepared input are multiplied by: pixels of the file in one that is left.
    """

    text: str = ""
    items: Sequence[Item] = ()
    truncated: int = 0
    origin: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Location:
    """What a head may ask about the input that it answers.

    Attributes:
        source: of the input.
        locate: encoded steps ``[N]`` float64 (fractions too) as places in the input.
    """

    source: Source
    locate: Callable[[Tensor], Tensor]

    def __call__(self, steps: Tensor) -> Tensor:
        """Encoded steps as places in the input: seconds, pixels, points."""
        return self.locate(steps)

    @property
    def items(self) -> Sequence[Item]:
        """The words of a text."""
        return self.source.items

    @property
    def text(self) -> str:
        """The text that the words have their places in."""
        return self.source.text

    @property
    def truncated(self) -> int:
        """Tokens at the end of the input that the features have left out."""
        return self.source.truncated
