"""Gaussians of characters in context over short windows of frames: they hear little, and just where it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTEXT = 2
"""Frames to both sides that are looked at: 50 ms of speech in all."""
STATES = 2
"""Of a character, one behind the other, a frame each at least: how it begins and how it ends."""
REACH, FALL = 40.0, 10.0
"""Frames. So far from where CTC has it a character may lie at no cost, since peaks were seen 0.2 s from their sounds;
beyond, a frame costs half a nat times the square of the rest in units of ``FALL``."""
PRIOR_FRAMES = 100.0
"""A trigraph's mean starts from its character's, which counts as so many frames. What is only ever said between the
same two neighbours could take any share of them; what it has in common with itself elsewhere tells it apart."""
RIDGE = 0.01
"""Added to the variances."""
WILDCARD_COST = 0.5
"""Nats a frame below the best character: of what can't be told."""
BEHIND = tuple(range(STATES - 1, -1, -1))
"""Of a trigraph's states, how far each is before its last one."""
EDGE = "#"
"""Stands for the ends of a word."""

Floats = NDArray[np.float32]
Trigraph = tuple[str, str, str]
"""What stands before a character in its word, the character, and what stands behind it."""


@dataclass(frozen=True, eq=False)
class Trigraphs:
    """Linear scores of frames: Gaussians with one covariance.

    Attributes:
        numbers: of the trigraphs, from 1 on; a character of any context is (``""``, character, ``""``).
        weights: ``[1 + STATES · C, (2 · CONTEXT + 1) · D]``; class 0 is what stands between words and around them, the
            states of trigraph n are those from 1 + STATES · (n - 1) on.
        biases: ``[1 + STATES · C]``.
    """

    numbers: Mapping[Trigraph, int]
    weights: Floats
    biases: Floats

    def number(self, trigraph: Trigraph) -> int | None:
        """Its own number, else that of its character; None of a character that was never met."""
        return self.numbers.get(trigraph, self.numbers.get(("", trigraph[1], "")))

    def spans(
        self, frames: Floats, trigraphs: Sequence[Trigraph | None], places: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each character begins and ends: the best path through them, with pauses between any two.

        Args:
            frames: ``[F, D]``, at least `STATES` times as many as characters.
            trigraphs: L; None is a wildcard.
            places: in frames, where CTC has them, ``[L]``.

        Returns:
            First frames, and frames behind the last ones, ``[L]`` each.
        """
        return _spans(self._path(windows(frames), trigraphs, places)[0], len(trigraphs))

    def _path(
        self, looked: Floats, trigraphs: Sequence[Trigraph | None], places: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each frame the character, from 1 on, 0 in a pause; and the class, -1 in what can't be told."""
        classes, owners = self._states(trigraphs)
        known, column = np.unique(classes, return_inverse=True)
        scores = (looked @ self.weights[known].T + self.biases[known]) / (2 * CONTEXT + 1)
        told = known >= 0
        scores -= scores[:, told].max(axis=1, keepdims=True)
        scores[:, ~told] = -WILDCARD_COST
        own = scores[:, column]  # [F, states]
        away = np.abs(np.arange(len(looked), dtype=np.float32)[:, None] + 0.5 - places.astype(np.float32))
        cost = 0.5 * (np.maximum(0.0, away - REACH) / FALL) ** 2
        spoken = owners > 0
        own[:, spoken] -= cost[:, owners[spoken] - 1]
        path = best_path(own, ~spoken)
        return owners[path], classes[path]

    def _states(self, trigraphs: Sequence[Trigraph | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Class and character of all states in their order: a pause, then those of a character, and so on."""
        classes, owners = [0], [0]
        for place, each in enumerate(trigraphs, 1):
            number = self.number(each) if each is not None else None
            classes += [-1] if number is None else range(1 + STATES * (number - 1), 1 + STATES * number)
            owners += [place] * (1 if number is None else STATES)
            classes.append(0)
            owners.append(0)
        return np.array(classes), np.array(owners)


def best_path(scores: NDArray[np.floating[Any]], may_skip: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The best way through states in their order, from the first one to the last: Viterbi.

    Args:
        scores: of each frame in each state, ``[F, N]``.
        may_skip: states that may have no frame, ``[N]``; of two neighbours one at most. All others have one at least.

    Returns:
        The state of each frame, ``[F]``.
    """
    frames, count = scores.shape
    back = np.empty((frames, count), dtype=np.uint8)
    # Two more before the first, which are never reached.
    best, further = np.full(count + 2, -np.inf), np.empty(count)
    skipping = np.where(np.concatenate([[False], may_skip[:-1]]), 0.0, -np.inf)
    best[2] = 0.0
    if may_skip[0]:
        best[3:4] = 0.0
    best[2:] += scores[0]
    for frame in range(1, frames):
        np.add(best[:-2], skipping, out=further)
        chosen, stays = back[frame], best[2:]
        np.greater(best[1:-1], stays, out=chosen.view(bool))
        moved = np.maximum(best[1:-1], stays)
        chosen[further > moved] = 2
        np.maximum(moved, further, out=stays)
        stays += scores[frame]
    state = count - 1
    if may_skip[-1] and best[-2] > best[-1]:
        state -= 1
    path = np.empty(frames, dtype=np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state -= int(back[frame, state])
    return path


def _spans(owners: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of the characters 1 to ``count`` begins and ends; they rise, and each has a frame at least."""
    spoken = owners[owners > 0]
    places = np.flatnonzero(owners)
    wanted = np.arange(1, count + 1)
    return places[np.searchsorted(spoken, wanted)], places[np.searchsorted(spoken, wanted, side="right") - 1] + 1


def trigraphs_of(word: str) -> list[Trigraph]:
    """Of the characters of a word.

    Example:
        >>> trigraphs_of("go")
        [('#', 'g', 'o'), ('g', 'o', '#')]
    """
    around = [EDGE, *word, EDGE]
    return list(zip(around, around[1:], around[2:], strict=False))


def windows(frames: Floats) -> Floats:
    """Each frame with those around it, ``[F, D]`` -> ``[F, (2 · CONTEXT + 1) · D]``; the edges are repeated."""
    at = np.arange(len(frames))[:, None] + np.arange(-CONTEXT, CONTEXT + 1)
    return frames[np.clip(at, 0, len(frames) - 1)].reshape(len(frames), -1)


@dataclass(frozen=True, eq=False)
class SpokenText:
    """An input whose text is known.

    Attributes:
        frames: ``[F, D]``.
        trigraphs: of its characters.
        places: in frames, where CTC has them.
    """

    frames: Floats
    trigraphs: Sequence[Trigraph]
    places: NDArray[np.float64]


def fit_trigraphs(texts: Sequence[SpokenText], *, rounds: int = 4, least: int = 20) -> Trigraphs:
    """Learn them from texts alone, by Viterbi training (Juang & Rabiner 1990) from a start that CTC gives.

    At first an input's characters share it evenly, half-way to where CTC has them, but for its ends, as far as these
    are unlike its middle. Then Gaussians are fitted to the frames of each, and frames given to characters by these, in
    turns: first as if a character sounded alike everywhere, then in context, as recognisers go from monophones to
    triphones (Young, Odell & Woodland 1994). What is learnt in context at once may take up its neighbours' frames.

    Args:
        texts: with at least `STATES` times as many frames as characters.
        rounds: how often, out of context and in it.
        least: characters of a context that is told from others.
    """
    counts: dict[Trigraph, int] = {}
    for text in texts:
        for each in text.trigraphs:
            counts[each] = counts.get(each, 0) + 1
    characters = sorted({each[1] for each in counts})
    kept = sorted(each for each, count in counts.items() if count >= least)
    numbers = {each: place for place, each in enumerate([*(("", one, "") for one in characters), *kept], 1)}
    parents = np.array([0, *(STATES * numbers["", each[1], ""] - back for each in numbers for back in BEHIND)])
    looked = [windows(text.frames) for text in texts]
    everything = np.concatenate(looked)
    made = Trigraphs(numbers, np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
    classes = [_first_classes(text, made) for text in texts]
    for turn in range(2 * rounds):
        if turn:
            classes = [made._path(own, text.trigraphs, text.places)[1] for text, own in zip(texts, looked, strict=True)]
        prior = PRIOR_FRAMES if turn >= rounds else math.inf
        made = Trigraphs(numbers, *_gaussians(everything, np.concatenate(classes), parents, prior))
    return made


def _first_classes(text: SpokenText, trigraphs: Trigraphs) -> NDArray[np.int64]:
    """Of each frame; the states of a character share its frames evenly."""
    owners = _first_owners(text)
    first = np.array([0, *(1 + STATES * ((trigraphs.number(each) or 1) - 1) for each in text.trigraphs)])
    counts = np.bincount(owners, minlength=len(first))
    within = np.arange(len(owners)) - np.searchsorted(np.maximum.accumulate(owners), owners)
    return np.where(owners > 0, first[owners] + within * STATES // counts[owners], 0)


def _first_owners(text: SpokenText) -> NDArray[np.int64]:
    """Of each frame the character, from 1 on; 0 of those at either end that are more like the ends than the middle."""
    count, total = len(text.trigraphs), len(text.frames)
    looked = windows(text.frames)
    ends, middle = looked[[0, -1]].mean(axis=0), looked[total // 4 : max(total // 4 + 1, 3 * total // 4)].mean(axis=0)
    is_middle = ((looked - ends) ** 2).sum(axis=1) > ((looked - middle) ** 2).sum(axis=1)
    inner = np.flatnonzero(is_middle)
    first, stop = (int(inner[0]), int(inner[-1]) + 1) if len(inner) else (0, total)
    if stop - first < count:
        first, stop = 0, total
    even = first + (np.arange(count) + 0.5) / count * (stop - first)
    middles = np.maximum.accumulate(0.5 * (even + text.places))
    owners = 1 + np.searchsorted((middles[1:] + middles[:-1]) / 2, np.arange(total) + 0.5)
    owners[:first] = owners[stop:] = 0
    return owners


def _gaussians(
    everything: Floats, classes: NDArray[np.int64], parents: NDArray[np.int64], prior: float
) -> tuple[Floats, Floats]:
    """Weights and biases of Gaussians with one covariance.

    A trigraph's mean leans on its character's, which counts as ``prior`` frames: of infinitely many it is that.
    """
    counts = np.bincount(classes, minlength=len(parents)).astype(np.float64)
    sums = np.zeros((len(parents), everything.shape[1]))
    order = np.argsort(classes, kind="stable")
    filled = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts).astype(np.int64)
    sums[filled] = np.add.reduceat(everything[order], starts[filled], axis=0, dtype=np.float64)
    together, all_counts = np.zeros_like(sums), np.zeros_like(counts)
    np.add.at(together, parents, sums)
    np.add.at(all_counts, parents, counts)
    general = (together / np.maximum(all_counts, 1.0)[:, None])[parents]
    own = sums / np.maximum(counts, 1.0)[:, None]
    means = general + (counts / (counts + prior))[:, None] * (own - general)
    rest = everything - means.astype(np.float32)[classes]
    covariance = (rest.T @ rest).astype(np.float64) / len(rest)
    weights = np.linalg.solve(covariance + RIDGE * np.eye(len(covariance)), means.T).T
    return weights.astype(np.float32, order="C"), (-0.5 * (weights * means).sum(axis=1)).astype(np.float32)
