"""What a scorer of prefixes adds to hypotheses that all grow by a label at a time, for searches that go by it too."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.decoding.prefix_scorer import Candidates, PrefixScorer


class ScoredPrefixes:
    """Nats that language model, hot words and bonuses add, for W hypotheses of each of B rows.

    Begins with one hypothesis of each row, which has no label yet. The scorer's own work is done on the CPU.

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
        self._added = torch.zeros(rows, 1, dtype=torch.float64)
        self._device, self._hot = device, scorer.hot
        self._written = torch.zeros(rows, 1, scorer.hot.phrases if scorer.hot is not None else 0, dtype=torch.bool)
        self.max_gain = self._run.max_gain

    def hot_gains(self) -> Tensor | None:
        """What hot words add for each label behind each hypothesis, ``[B · W, V]``; None without any."""
        found = self._run.hot_gains(self._state)
        return found.flatten(0, 1).to(self._device) if found is not None else None

    def extended(self, labels: Tensor) -> Tensor:
        """Of each hypothesis with one of K labels behind it, ``[B · W, K]`` -> the same in float64."""
        rows, width = self._added.shape
        size = labels.shape[1]
        row = torch.arange(rows).repeat_interleave(width * size)
        origin = torch.arange(width).repeat_interleave(size).repeat(rows)
        gain, _ = self._gains(Candidates(row, origin, labels.cpu().flatten()))
        return (self._added.view(-1, 1) + gain.view(-1, size)).to(self._device)

    def ended(self) -> Tensor:
        """Of each hypothesis as a whole text, ``[B · W]`` float64."""
        found = self._added + self._run.finish(self._state)
        if self._hot is not None:
            found = found - self._taken_back(self._written, *self._hot.completed(self._state.hot))
        return found.flatten().to(self._device)

    def choose(self, rows: Tensor, places: Tensor, labels: Tensor) -> None:
        """Go on with some hypotheses, a label more in each.

        Args:
            rows: that go on, ``[B']``.
            places: of the hypotheses among ``B · W``, W' for each row, ``[B' · W']``.
            labels: ``[B' · W']``.
        """
        rows, places, labels = rows.cpu(), places.cpu(), labels.cpu()
        if not len(rows):
            self._state, self._added, self._written = self._state.rows(rows), self._added[rows], self._written[rows]
            return
        before, width = self._added.shape[1], len(places) // len(rows)
        origin = places.view(-1, width) % before
        self._state, added, self._written = self._state.rows(rows), self._added[rows], self._written[rows]
        row = torch.arange(len(rows)).repeat_interleave(width)
        given = Candidates(row, origin.flatten(), labels)
        gain, candidates = self._gains(given)
        self._added = added.gather(1, origin) + gain.view(-1, width)
        self._written = self._written[given.row, given.origin]  # [B' · W', P]
        if self._hot is not None and self._written.shape[1]:
            phrase, _ = self._hot.completed(self._state.hot[given.row, given.origin], labels)
            place = phrase.clamp(min=0)[:, None]
            self._written.scatter_(1, place, self._written.gather(1, place) | (phrase >= 0)[:, None])
        self._written = self._written.view(*origin.shape, -1)
        which, is_new = torch.arange(len(labels)).view(-1, width), torch.ones_like(origin, dtype=torch.bool)
        self._state = self._run.select(self._state, origin, is_new, which, candidates)

    def _gains(self, candidates: Candidates) -> tuple[Tensor, Candidates]:
        gain, grown = self._run.extend(self._state, candidates)
        if gain is None:
            raise RuntimeError("a scorer that adds nothing is not asked")
        if self._hot is not None:
            row, origin = candidates.row, candidates.origin
            completed = self._hot.completed(self._state.hot[row, origin], candidates.label)
            gain = gain - self._taken_back(self._written[row, origin], *completed)
        return gain, grown

    def _taken_back(self, written: Tensor, phrase: Tensor, value: Tensor) -> Tensor:
        """The bonuses of phrases ``[...]`` that were there before, of P in ``written``, ``[..., P]``."""
        if not written.shape[-1]:
            return torch.zeros_like(value)
        again = written.gather(-1, phrase.clamp(min=0)[..., None])[..., 0] & (phrase >= 0)
        return torch.where(again, value, 0.0)
