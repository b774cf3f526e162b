"""A small language model that keeps to the contract, and texts counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from seqpipe.core.language_model import State


class Bigrams:
    """Log-probabilities of a unit given the one before, drawn from a seed."""

    def __init__(self, vocabulary: Sequence[str], seed: int = 0) -> None:
        self.vocabulary = list(vocabulary)
        size = len(self.vocabulary)
        # Rows: behind each unit, behind an unknown one, at the beginning. Columns: units, the end, an unknown one.
        drawn = np.random.default_rng(seed).standard_normal((size + 2, size + 2)) * 2
        self.table = (drawn - np.log(np.exp(drawn).sum(axis=1, keepdims=True))).astype(np.float32)
        self.asked = 0

    def initial_state(self, count: int) -> State:
        return (np.full(count, len(self.vocabulary) + 1),)

    def scores(self, state: State) -> NDArray[np.float32]:
        self.asked += len(state[0])
        return self.table[state[0], :-1]

    def scores_of(self, state: State, units: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.table[state[0], units]

    def advance(self, state: State, units: NDArray[np.int64]) -> State:
        return (np.where(units < 0, len(self.vocabulary), units),)

    def of(self, units: Sequence[str]) -> float:
        """Of a whole text, in nats."""
        size, last, total = len(self.vocabulary), len(self.vocabulary) + 1, 0.0
        for unit in units:
            number = self.vocabulary.index(unit) if unit in self.vocabulary else -1
            total += float(self.table[last, number])
            last = number if number >= 0 else size
        return total + float(self.table[last, size])


@pytest.fixture
def bigrams() -> Callable[..., Bigrams]:
    """``bigrams(["a", "b"], seed=1)``."""
    return Bigrams


class Networks(Bigrams):
    """The same, with states that are no numbers, as those of a network are."""

    def initial_state(self, count: int) -> State:
        return tuple(np.eye(len(self.table), dtype=np.float32)[part] for part in super().initial_state(count))

    def scores(self, state: State) -> NDArray[np.float32]:
        return super().scores((state[0].argmax(axis=1),))

    def scores_of(self, state: State, units: NDArray[np.int64]) -> NDArray[np.float32]:
        return super().scores_of((state[0].argmax(axis=1),), units)

    def advance(self, state: State, units: NDArray[np.int64]) -> State:
        (last,) = super().advance((), units)
        return (np.eye(len(self.table), dtype=np.float32)[last],)


@pytest.fixture(params=[Bigrams, Networks])
def either(request: pytest.FixtureRequest) -> Callable[..., Bigrams]:
    """The same, of both kinds."""
    return request.param
