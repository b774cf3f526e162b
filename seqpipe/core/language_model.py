"""What a search asks a language model, whatever it is: n-grams of a file, or a network of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

State = tuple[NDArray[Any], ...]
"""Of N texts: arrays whose first dimension is N, so that choosing and repeating texts is indexing."""


@runtime_checkable
class LanguageModel(Protocol):
    """Log-probabilities of what comes next in many texts at a time, in nats.

    Attributes:
        vocabulary: the units, in the order of their numbers. A space is written ``▁`` in units that hold spaces; words
            are written as they are. The number behind the last one, ``len(vocabulary)``, is the end of the text.
    """

    vocabulary: Sequence[str]

    def initial_state(self, count: int) -> State:
        """The state before the first unit of ``count`` texts."""

    def scores(self, state: State) -> NDArray[np.float32]:
        """Of every unit, and of the end behind them: ``[N, V + 1]``. Rows don't depend on each other."""

    def scores_of(self, state: State, units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of one unit, or the end, for each text: ``[N]`` of ``[N]``. -1 is a unit that the vocabulary lacks."""

    def advance(self, state: State, units: NDArray[np.int64]) -> State:
        """The states behind those units ``[N]``; -1 is a unit that the vocabulary lacks."""
