"""What a scorer of prefixes adds to hypotheses that all grow by a label at a time, for searches that go by it too."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.decoding.prefix_scorer import Candidates, PrefixScorer


class ScoredPrefixes:
    """Nats that language model, hot words and bonuses add, for W hypotheses of each of B rows.

    Begins with one hypothesis of each row, which has no label yet. The scorer works in arrays; what comes
    in and goes out are the search's tensors.

    A hot phrase has its bonus once in a text; when it is completed again, that is taken back. Nothing else would end
    texts that write it over and over: a decoder's answer isn't bounded by the steps of the input as CTC's is.

    Args:
        scorer: what is added; it isn't neutral.
        rows: B.
        size: V; labels are 1 to V - 1, as `PrefixScorer` has them.
        device: of the search.

    Attributes:
        max_gain: what a label, or the end, adds at most, at least 0.
    """

    def __init__(self, scorer: PrefixScorer, rows: int, size: int, device: torch.device) -> None:
        self._run = scorer.begin(range(rows), size)
        self._state = self._run.state
        self._added = np.zeros((rows, 1))
        self._device, self._hot = device, scorer.hot
        self._written = np.zeros((rows, 1, scorer.hot.phrases if scorer.hot is not None else 0), bool)
        self.max_gain = self._run.max_gain

    def hot_gains(self) -> Tensor | None:
        """What hot words add for each label behind each hypothesis, ``[B · W, V]``; None without any."""
        found = self._run.hot_gains(self._state)
        return self._tensor(found.reshape(-1, found.shape[2])) if found is not None else None

    def extended(self, labels: Tensor) -> Tensor:
        """Of each hypothesis with one of K labels behind it, ``[B · W, K]`` -> the same in float64."""
        source = np.repeat(np.arange(len(labels)), labels.shape[1])
        gain, _ = self._gains(Candidates(source, labels.cpu().flatten().numpy()))
        return self._tensor(self._added.reshape(-1, 1) + gain.reshape(labels.shape))

    def ended(self) -> Tensor:
        """Of each hypothesis as a whole text, ``[B · W]`` float64."""
        found = self._added + self._run.finish(self._state)
        if self._hot is not None:
            found = found - _taken_back(self._written, *self._hot.completed(self._state.hot))
        return self._tensor(found.ravel())

    def choose(self, rows: Tensor, places: Tensor, labels: Tensor) -> None:
        """Go on with some hypotheses, a label more in each.

        Args:
            rows: that go on, ``[B']``.
            places: of the hypotheses among ``B · W``, W' for each row, ``[B' · W']``.
            labels: ``[B' · W']``.
        """
        going, source, grown = (item.cpu().numpy() for item in (rows, places, labels))
        if not len(going):
            self._state, self._added, self._written = self._state.rows(going), self._added[going], self._written[going]
            return
        written = self._written_by(source)
        gain, candidates = self._gains(Candidates(source, grown))
        self._added = (self._added.take(source) + gain).reshape(len(going), -1)
        if self._hot is not None and written.shape[1]:
            phrase, _ = self._hot.completed(self._state.hot.take(source), grown)
            done = np.flatnonzero(phrase >= 0)
            written[done, phrase[done]] = True
        self._written = written.reshape(*self._added.shape, written.shape[1])
        every = np.arange(len(grown))
        self._state = self._run.select(self._state, source.reshape(self._added.shape), every, every, candidates)

    def _gains(self, candidates: Candidates) -> tuple[NDArray[np.float64], Candidates]:
        gain, grown = self._run.extend(self._state, candidates)
        if gain is None:
            raise RuntimeError("a scorer that adds nothing is not asked")
        if self._hot is not None:
            completed = self._hot.completed(self._state.hot.take(candidates.source), candidates.label)
            gain = gain - _taken_back(self._written_by(candidates.source), *completed)
        return gain, grown

    def _written_by(self, source: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether hypotheses hold each phrase, ``[N, P]``."""
        return self._written.reshape(self._added.size, self._written.shape[2])[source]

    def _tensor(self, values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values).to(self._device)


def _taken_back(
    written: NDArray[np.bool_], phrase: NDArray[np.int64], value: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The bonuses of phrases ``[...]`` that were there before, of P in ``written``, ``[..., P]``."""
    if not written.shape[-1]:
        return np.zeros_like(value)
    again = np.take_along_axis(written, np.maximum(phrase, 0)[..., None], axis=-1)[..., 0] & (phrase >= 0)
    return np.where(again, value, 0.0)
