"""Gaussians of characters in context over short windows of frames: they hear little, and just where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_alignment import align_rows

CONTEXT = 3
"""Frames to both sides that are looked at: 70 ms of speech in all."""
REACH, FALL = 40.0, 10.0
"""Frames. So far from where CTC has it a character may lie at no cost, since peaks were seen 0.2 s from their sounds;
beyond, a frame costs half a nat times the square of the rest in units of ``FALL``."""
PRIOR_FRAMES = 10.0
"""A trigraph's mean starts from its character's, which counts as so many frames."""
RIDGE = 0.01
"""Added to the variances."""
WILDCARD_COST = 0.5
"""Nats a frame below the best character: of what can't be told."""
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
        weights: ``[C, (2 · CONTEXT + 1) · D]``; class 0 is what stands between words and around them.
        biases: ``[C]``.
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
            frames: ``[F, D]``, at least as many as characters.
            trigraphs: L; None is a wildcard.
            places: in frames, where CTC has them, ``[L]``.

        Returns:
            First frames, and frames behind the last ones, ``[L]`` each.
        """
        numbers = [0, *(self.number(each) if each is not None else None for each in trigraphs)]
        known, column = np.unique([own for own in numbers if own is not None], return_inverse=True)
        scores = (windows(frames) @ self.weights[known].T + self.biases[known]) / (2 * CONTEXT + 1)
        scores -= scores.max(axis=1, keepdims=True)
        own = np.full((len(frames), len(numbers)), -WILDCARD_COST)
        own[:, [number is not None for number in numbers]] = scores[:, column]
        away = np.abs(np.arange(len(frames))[:, None] + 0.5 - places)
        own[:, 1:] -= 0.5 * (np.maximum(0.0, away - REACH) / FALL) ** 2
        # Every character is a label of its own, so that equal ones need no pause between them.
        (path,) = align_rows([own], [range(1, len(numbers))])
        return path.starts, path.stops


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


def fit_trigraphs(texts: Sequence[SpokenText], *, rounds: int = 5, least: int = 20) -> Trigraphs:
    """Learn them from texts alone, by Viterbi training (Juang & Rabiner 1990) from a start that CTC gives.

    At first an input's characters share it evenly, half-way to where CTC has them, but for its ends, as far as these
    are unlike its middle. Then Gaussians are fitted to the frames of each, and frames given to characters by these, in
    turns.

    Args:
        texts: with at least as many frames as characters.
        rounds: how often.
        least: characters of a context that is told from others.
    """
    counts: dict[Trigraph, int] = {}
    for text in texts:
        for each in text.trigraphs:
            counts[each] = counts.get(each, 0) + 1
    characters = sorted({each[1] for each in counts})
    kept = sorted(each for each, count in counts.items() if count >= least)
    numbers = {each: place for place, each in enumerate([*(("", one, "") for one in characters), *kept], 1)}
    parents = np.array([0, *(numbers["", each[1], ""] for each in numbers)])
    everything = np.concatenate([windows(text.frames) for text in texts])
    owners = [_first_owners(text) for text in texts]
    made = Trigraphs(numbers, np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
    for turn in range(rounds):
        if turn:
            owners = [_owners(text, *made.spans(text.frames, text.trigraphs, text.places)) for text in texts]
        classes = [
            np.array([0, *(made.number(each) or 0 for each in text.trigraphs)])[own]
            for text, own in zip(texts, owners, strict=True)
        ]
        made = Trigraphs(numbers, *_gaussians(everything, np.concatenate(classes), parents))
    return made


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


def _owners(text: SpokenText, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.zeros(len(text.frames), dtype=np.int64)
    for number, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True), 1):
        found[start:stop] = number
    return found


def _gaussians(everything: Floats, classes: NDArray[np.int64], parents: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Weights and biases of Gaussians with one covariance; a trigraph's mean leans on its character's."""
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
    means = (sums + PRIOR_FRAMES * general) / (counts + PRIOR_FRAMES)[:, None]
    rest = everything - means.astype(np.float32)[classes]
    covariance = (rest.T @ rest).astype(np.float64) / len(rest)
    weights = np.linalg.solve(covariance + RIDGE * np.eye(len(covariance)), means.T).T
    return weights.astype(np.float32, order="C"), (-0.5 * (weights * means).sum(axis=1)).astype(np.float32)
