"""Gaussians of characters in context over short windows of frames: they hear little, and just where it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
BATCH_CELLS = 1 << 22
"""Frames times states of what is gone through together."""
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

    def spans(self, texts: Iterable[SpokenText]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Where each character begins and ends: the best path through them, with pauses between any two.

        Args:
            texts: with at least `STATES` times as many frames as characters.

        Returns:
            Of each text first frames, and frames behind the last ones, ``[L]`` each.
        """
        found = []
        for own in self._paths(texts):
            # Of each frame the character, from 1 on; 0 in pauses. They rise, and each has a frame at least.
            wanted = np.arange(1, own.owners.max() + 1)
            places = np.flatnonzero(own.owners)
            spoken = own.owners[places]
            stops = np.searchsorted(spoken, wanted, side="right")
            found.append((places[np.searchsorted(spoken, wanted)], places[stops - 1] + 1))
        return found

    def classes(self, texts: Sequence[SpokenText]) -> list[NDArray[np.int64]]:
        """Of each text's frames: the rows of `weights`, -1 in what can't be told."""
        return [own.classes for own in self._paths(texts)]

    def _paths(self, texts: Iterable[SpokenText]) -> Iterator[_Path]:
        for group in _groups(texts):
            states = [self._states(text.trigraphs) for text in group]
            scores = [self._scores(text, *own) for text, own in zip(group, states, strict=True)]
            paths = best_paths(scores, [owners == 0 for _, owners in states])
            for (classes, owners), path in zip(states, paths, strict=True):
                yield _Path(owners[path], classes[path])

    def _scores(self, text: SpokenText, classes: NDArray[np.int64], owners: NDArray[np.int64]) -> Floats:
        """Of each frame in each state, ``[F, N]``."""
        known, column = np.unique(classes, return_inverse=True)
        scores = (windows(text.frames) @ self.weights[known].T + self.biases[known]) / np.float32(2 * CONTEXT + 1)
        told = known >= 0
        scores -= scores[:, told].max(axis=1, keepdims=True)
        scores[:, ~told] = -WILDCARD_COST
        places = text.places.astype(np.float32)
        away = np.abs(np.arange(len(scores), dtype=np.float32)[:, None] + np.float32(0.5) - places)
        away -= np.float32(REACH)
        np.maximum(away, 0.0, out=away)
        away *= away
        away *= np.float32(-0.5 / FALL**2)
        own: Floats = scores[:, column]
        spoken = np.flatnonzero(owners)
        own[:, spoken] += away[:, owners[spoken] - 1]
        return own

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


class _Path(NamedTuple):
    """Of each frame the character, from 1 on, 0 in a pause; and the class, -1 in what can't be told."""

    owners: NDArray[np.int64]
    classes: NDArray[np.int64]


def _groups(texts: Iterable[SpokenText]) -> Iterator[list[SpokenText]]:
    """As many neighbours as fit into `BATCH_CELLS` when they are padded; one at least."""
    group: list[SpokenText] = []
    frames = states = 0
    for text in texts:
        frames = max(frames, len(text.frames))
        states = max(states, (STATES + 1) * len(text.trigraphs) + 1)
        if group and (len(group) + 1) * frames * states > BATCH_CELLS:
            yield group
            group, frames, states = [], len(text.frames), (STATES + 1) * len(text.trigraphs) + 1
        group.append(text)
    if group:
        yield group


def best_paths(scores: Sequence[Floats], may_skip: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.int64]]:
    """The best ways through states in their order, from the first one to the last: Viterbi, several rows at a time.

    Args:
        scores: of each frame in each state, ``[F_i, N_i]``.
        may_skip: states that may have no frame, ``[N_i]``; of two neighbours one at most. All others have one at least.

    Returns:
        The state of each frame, ``[F_i]``, for each row the same as by itself.
    """
    lengths = [len(own) for own in scores]
    most, width = max(lengths), max(own.shape[1] for own in scores)
    emitted = np.full((most, len(scores), width), -np.inf, dtype=np.float32)
    skipping = np.full((len(scores), width), -np.inf)
    # Two more before the first, which are never reached.
    best = np.full((len(scores), width + 2), -np.inf)
    best[:, 2] = 0.0
    for row, (own, may) in enumerate(zip(scores, may_skip, strict=True)):
        emitted[: len(own), row, : own.shape[1]] = own
        skipping[row, 1 : len(may)][may[:-1]] = 0.0
        if may[0]:
            best[row, 3] = 0.0
    back = np.zeros((most, len(scores), width), dtype=np.uint8)
    final = [own.shape[1] - 1 for own in scores]
    ending: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        ending.setdefault(length - 1, []).append(row)
    further, moved = np.empty_like(skipping), np.empty_like(skipping)
    stays, one = best[:, 2:], best[:, 1:-1]
    for frame in range(most):
        if frame:
            chosen = back[frame]
            np.add(best[:, :-2], skipping, out=further)
            np.greater(one, stays, out=chosen.view(bool))
            np.maximum(one, stays, out=moved)
            np.maximum(chosen, (further > moved).view(np.uint8) << 1, out=chosen)
            np.maximum(moved, further, out=stays)
        stays += emitted[frame]
        for row in ending.get(frame, ()):
            last = final[row]
            if may_skip[row][last] and stays[row, last - 1] > stays[row, last]:
                final[row] -= 1
    paths = []
    for row, (length, state) in enumerate(zip(lengths, final, strict=True)):
        found = []
        for frame in range(length - 1, -1, -1):
            found.append(state)
            state -= int(back[frame, row, state])
        paths.append(np.array(found[::-1]))
    return paths


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
        trigraphs: of its L characters; None is a wildcard.
        places: in frames, where CTC has them, ``[L]``.
    """

    frames: Floats
    trigraphs: Sequence[Trigraph | None]
    places: NDArray[np.float64]


def fit_trigraphs(texts: Sequence[SpokenText], *, rounds: int = 4, least: int = 20) -> Trigraphs:
    """Learn them from texts alone, by Viterbi training (Juang & Rabiner 1990) from a start that CTC gives.

    At first an input's characters share it evenly, half-way to where CTC has them, but for its ends, as far as these
    are unlike its middle. Then Gaussians are fitted to the frames of each, and frames given to characters by these, in
    turns: first as if a character sounded alike everywhere, then in context, as recognisers go from monophones to
    triphones (Young, Odell & Woodland 1994). What is learnt in context at once may take up its neighbours' frames.

    Args:
        texts: without wildcards, with at least `STATES` times as many frames as characters.
        rounds: how often, out of context and in it.
        least: characters of a context that is told from others.
    """
    counts: dict[Trigraph, int] = {}
    for text in texts:
        for each in text.trigraphs:
            if each is not None:
                counts[each] = counts.get(each, 0) + 1
    characters = sorted({each[1] for each in counts})
    kept = sorted(each for each, count in counts.items() if count >= least)
    numbers = {each: place for place, each in enumerate([*(("", one, "") for one in characters), *kept], 1)}
    parents = np.array([0, *(STATES * numbers["", each[1], ""] - back for each in numbers for back in BEHIND)])
    everything = np.concatenate([windows(text.frames) for text in texts])
    made = Trigraphs(numbers, np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
    classes = [_first_classes(text, made) for text in texts]
    for turn in range(2 * rounds):
        if turn:
            classes = made.classes(texts)
        prior = PRIOR_FRAMES if turn >= rounds else math.inf
        made = Trigraphs(numbers, *_gaussians(everything, np.concatenate(classes), parents, prior))
    return made


def _first_classes(text: SpokenText, trigraphs: Trigraphs) -> NDArray[np.int64]:
    """Of each frame; the states of a character share its frames evenly."""
    owners = _first_owners(text)
    numbers = [trigraphs.number(each) if each is not None else None for each in text.trigraphs]
    first = np.array([0, *(1 + STATES * ((number or 1) - 1) for number in numbers)])
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
