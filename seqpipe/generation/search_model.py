"""The language model of a run directory as searches ask it, in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.core.language_model import State
from seqpipe.core.language_model_files import register_language_model
from seqpipe.generation.run_model import TextModel, load_text_model
from seqpipe.model_file import MODEL


class SearchModel:
    """A network as a `seqpipe.core.language_model.LanguageModel`: arrays become its tensors, and these arrays again.

    Args:
        model: of a run.

    Attributes:
        vocabulary: its units.
        model: it.
    """

    def __init__(self, model: TextModel) -> None:
        self.model = model
        self.vocabulary: Sequence[str] = model.vocabulary

    def initial_state(self, count: int) -> State:
        """The state before the first unit of ``count`` texts."""
        return _arrays(self.model.initial_state(count))

    def scores(self, state: State) -> NDArray[np.float32]:
        """Of every unit, and of the end behind them: ``[N, V + 1]``, in nats."""
        return _array(self.model.scores(self._tensors(state)))

    def scores_of(self, state: State, units: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of one unit, or the end, for each text: ``[N]`` of ``[N]``; -1 is one that the vocabulary lacks."""
        return _array(self.model.scores_of(self._tensors(state), torch.from_numpy(units)))

    def advance(self, state: State, units: NDArray[np.int64]) -> State:
        """The states behind those units ``[N]``; -1 is one that the vocabulary lacks."""
        return _arrays(self.model.advance(self._tensors(state), torch.from_numpy(units)))

    def _tensors(self, state: State) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(part).to(self.model.device) for part in state)


def _array(values: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = values.cpu().numpy()
    return found


def _arrays(state: Sequence[Tensor]) -> State:
    return tuple(_array(part) for part in state)


register_language_model(
    "a run directory of the language task",
    lambda path: (path / MODEL).is_file(),
    lambda path: SearchModel(load_text_model(path)),
)
