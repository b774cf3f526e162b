"""States of a language model, each once, for hypotheses that refer to them by numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from seqpipe.core.language_model import LanguageModel, State

LEAST = 1024
"""States that there is room for at first, and that are kept before any is forgotten."""


class Histories:
    """What a language model knows of texts, by number; number 0 is the empty text.

    Args:
        model: the language model.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        first = model.initial_state(1)
        self._states = tuple(_with_room(part, LEAST) for part in first)
        self._scores: Tensor | None = None
        self._known = torch.zeros(LEAST, dtype=torch.bool)
        self._count = self._after_forgetting = 1

    def state(self, numbers: Tensor) -> State:
        """The states of these texts."""
        return tuple(part[numbers] for part in self._states)

    def advance(self, numbers: Tensor, units: Tensor) -> Tensor:
        """The numbers of these texts with a unit more each, -1 being an unknown one; all ``[N]``."""
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
        return torch.arange(first, self._count)

    def scores_of(self, numbers: Tensor, units: Tensor) -> Tensor:
        """Log-probabilities of a unit (or the end) behind each text, ``[N]`` float64."""
        return self._model.scores_of(self.state(numbers), units).double()

    def scores(self, numbers: Tensor, units: Tensor) -> Tensor:
        """The same, of units that are asked for again and again: the model says all of a text at once. Of -1: never."""
        asked = torch.zeros_like(self._known)
        asked[numbers] = True
        if len(new := (asked & ~self._known).nonzero()[:, 0]):
            found = self._model.scores(self.state(new))
            if self._scores is None:
                self._scores = found.new_zeros(len(self._known), found.shape[1])
            self._scores[new] = found
            self._known[new] = True
        if self._scores is None:
            return torch.zeros(0, dtype=torch.float64)
        found = self._scores.view(-1)[numbers * self._scores.shape[1] + units.clamp(min=0)].double()
        return found.masked_fill(units < 0, -math.inf)

    @property
    def is_full(self) -> bool:
        """Whether so many states have come since the last forgetting that it is worth while."""
        return self._count > max(LEAST, 3 * self._after_forgetting)

    def forget_others(self, used: Iterable[Tensor]) -> list[Tensor]:
        """Forget all texts but those with these numbers; returns their new numbers."""
        used = list(used)
        is_used = torch.zeros(self._count, dtype=torch.bool)
        is_used[0] = True
        for numbers in used:
            is_used[numbers] = True
        kept = is_used.nonzero()[:, 0]
        renumbered = is_used.cumsum(0) - 1
        room = max(LEAST, 4 * len(kept))
        self._states = tuple(_with_room(part[kept], room) for part in self._states)
        self._known = _with_room(self._known[kept], room)
        if self._scores is not None:
            self._scores = _with_room(self._scores[kept], room)
        self._count = self._after_forgetting = len(kept)
        return [renumbered[numbers] for numbers in used]


def _with_room(part: Tensor, room: int) -> Tensor:
    made = part.new_zeros(room, *part.shape[1:])
    made[: len(part)] = part
    return made
