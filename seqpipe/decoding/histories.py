"""States of a language model, each once, for hypotheses that refer to them by numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.language_model import LanguageModel, State

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST = 1024
"""States that there is room for at first, and that are kept before any is forgotten."""
MAX_NUMBER = 1 << 26
"""States that are numbers are looked up in a table as long as they are below this."""
MAX_SCORES = 1 << 24
"""Log-probabilities that are kept for states that are numbers."""


class History(Protocol):
    """What a language model knows of texts, by number."""

    first: int

    def advance(self, numbers: Numbers, units: Numbers) -> Numbers:
        """The numbers of these texts with a unit more each, -1 being an unknown one; all ``[N]``."""

    def scores_of(self, numbers: Numbers, units: Numbers) -> Floats:
        """Log-probabilities of a unit (or the end) behind each text, ``[N]`` float64."""

    def scores(self, numbers: Numbers, units: Numbers) -> Floats:
        """The same, of units that are asked for again and again: the model says all of a text at once. Of -1: never."""

    @property
    def is_full(self) -> bool:
        """Whether so many states have come since the last forgetting that it is worth while."""

    def forget_others(self, used: Iterable[Numbers]) -> list[Numbers]:
        """Forget all texts but those with these numbers; returns their new numbers."""


def histories_of(model: LanguageModel) -> History:
    """Those of a language model, in the cheapest way that its states allow."""
    state = model.initial_state(1)
    is_number = len(state) == 1 and state[0].ndim == 1 and state[0].dtype == np.int64
    return NumberedHistories(model) if is_number and 0 <= int(state[0][0]) < MAX_NUMBER else Histories(model)


class NumberedHistories:
    """Of a model whose states are numbers, as those of n-grams are: texts that end alike are one.

    Args:
        model: the language model.
    """

    is_full = False

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.first = int(model.initial_state(1)[0][0])
        self._places = np.full(LEAST, -1)
        self._scores: NDArray[np.float32] | None = None
        self._count = 0

    def advance(self, numbers: Numbers, units: Numbers) -> Numbers:
        """See `History`."""
        return self._model.advance((numbers,), units)[0]

    def scores_of(self, numbers: Numbers, units: Numbers) -> Floats:
        """See `History`."""
        return self._model.scores_of((numbers,), units).astype(np.float64)

    def scores(self, numbers: Numbers, units: Numbers) -> Floats:
        """See `History`."""
        if not len(numbers):
            return np.zeros(0)
        if (most := int(numbers.max())) >= len(self._places):
            if most >= MAX_NUMBER:
                return np.where(units < 0, -math.inf, self.scores_of(numbers, np.maximum(units, 0)))
            more = np.full(max(most + 1, 2 * len(self._places)) - len(self._places), -1)
            self._places = np.concatenate([self._places, more])
        places = self._places[numbers]
        if (places < 0).any():
            if self._count * (len(self._model.vocabulary) + 1) > MAX_SCORES:
                self._places.fill(-1)
                self._count, places = 0, self._places[numbers]
            self._ask(np.unique(numbers[places < 0]))
            places = self._places[numbers]
        if self._scores is None:
            raise RuntimeError("scores are asked of a language model that has given none")
        found = self._scores[places, np.maximum(units, 0)].astype(np.float64)
        return np.where(units < 0, -math.inf, found)

    def _ask(self, new: Numbers) -> None:
        found = self._model.scores((new,))
        first, self._count = self._count, self._count + len(new)
        if self._scores is None:
            self._scores = _with_room(found[:0], max(LEAST, self._count))
        elif self._count > len(self._scores):
            self._scores = _with_room(self._scores[:first], max(self._count, 2 * len(self._scores)))
        self._scores[first : self._count] = found
        self._places[new] = np.arange(first, self._count)

    def forget_others(self, used: Iterable[Numbers]) -> list[Numbers]:
        """See `History`: numbers are the model's own, and stay."""
        return list(used)


class Histories:
    """Of any model: each text has a state of its own, and number 0 is the empty text.

    Args:
        model: the language model.
    """

    first = 0

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        first = model.initial_state(1)
        self._states = tuple(_with_room(part, LEAST) for part in first)
        self._scores: NDArray[np.float32] | None = None
        self._known = np.zeros(LEAST, bool)
        self._count = self._after_forgetting = 1

    def state(self, numbers: Numbers) -> State:
        """The states of these texts."""
        return tuple(part[numbers] for part in self._states)

    def advance(self, numbers: Numbers, units: Numbers) -> Numbers:
        """See `History`."""
        made = self._model.advance(self.state(numbers), units)
        first, self._count = self._count, self._count + len(units)
        if self._count > len(self._known):
            room = max(self._count, 2 * len(self._known))
            self._states = tuple(_with_room(part[:first], room) for part in self._states)
            self._known = _with_room(self._known[:first], room)
            if self._scores is not None:
                self._scores = _with_room(self._scores[:first], room)
        for part, new in zip(self._states, made, strict=True):
            part[first : self._count] = new
        self._known[first : self._count] = False
        return np.arange(first, self._count)

    def scores_of(self, numbers: Numbers, units: Numbers) -> Floats:
        """See `History`."""
        return self._model.scores_of(self.state(numbers), units).astype(np.float64)

    def scores(self, numbers: Numbers, units: Numbers) -> Floats:
        """See `History`."""
        asked = np.zeros_like(self._known)
        asked[numbers] = True
        if len(new := np.flatnonzero(asked & ~self._known)):
            found = self._model.scores(self.state(new))
            if self._scores is None:
                self._scores = np.zeros((len(self._known), found.shape[1]), found.dtype)
            self._scores[new] = found
            self._known[new] = True
        if self._scores is None:
            return np.zeros(0)
        found = self._scores[numbers, np.maximum(units, 0)].astype(np.float64)
        return np.where(units < 0, -math.inf, found)

    @property
    def is_full(self) -> bool:
        """See `History`."""
        return self._count > max(LEAST, 3 * self._after_forgetting)

    def forget_others(self, used: Iterable[Numbers]) -> list[Numbers]:
        """See `History`."""
        used = list(used)
        is_used = np.zeros(self._count, bool)
        is_used[0] = True
        for numbers in used:
            is_used[numbers] = True
        kept = np.flatnonzero(is_used)
        renumbered = is_used.cumsum() - 1
        room = max(LEAST, 4 * len(kept))
        self._states = tuple(_with_room(part[kept], room) for part in self._states)
        self._known = _with_room(self._known[kept], room)
        if self._scores is not None:
            self._scores = _with_room(self._scores[kept], room)
        self._count = self._after_forgetting = len(kept)
        return [renumbered[numbers] for numbers in used]


def _with_room(part: NDArray[Any], room: int) -> NDArray[Any]:
    made = np.zeros((room, *part.shape[1:]), part.dtype)
    made[: len(part)] = part
    return made
