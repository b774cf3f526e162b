"""Where the output of the graph lies in an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.item import Item
from seqpipe.core.source import Source


@dataclass(slots=True, eq=False)  # a frozen one takes three times as long to make
class Location:
    """What a head may ask about the input that it answers; the counterpart of `seqpipe.core.source.Location`.

    Attributes:
        raw: the input.
        reader: that prepared it.
        prepared: what it made of it.
        stride, offset: of the steps, in prepared elements.
    """

    raw: Any
    reader: Any
    prepared: NDArray[Any]
    stride: float
    offset: float

    @property
    def source(self) -> Source:
        """The input as answers refer to it, made anew each time."""
        found: Source = self.reader.source(self.raw)
        return found

    def __call__(self, steps: Sequence[float]) -> list[float]:
        """Steps of the output as places in the input, never outside it."""
        elements = np.asarray(steps, np.float64) * self.stride + self.offset
        end = float(self.reader.locate(self.prepared, np.array([len(self.prepared)], np.float64))[0])
        places = np.clip(self.reader.locate(self.prepared, elements), 0.0, end)
        source = self.source
        found: list[float] = (places * source.scale + source.origin).tolist()
        return found

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
