"""A bonus for words and phrases that are expected: given while they grow, taken back where they break off."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.word_spacing import WordSpacing

BOUNDARY = 0
"""Stands for the space between words, and for both ends of a text."""


class HotWords:
    """An automaton (Aho & Corasick 1975) over labels that knows what each hypothesis has of which phrase.

    A phrase counts where it stands between spaces, or the ends of the text. Its bonus grows with its characters, so
    that a label of a phrase is worth as much in every state of the search; where a phrase breaks off, or a word goes on
    behind it, the bonus is taken back, but for what belongs to a phrase that has been completed within it.

    Args:
        lists: for each list of phrases, spelt in labels; every list has a start of its own.
        sizes: how much a label is worth, ``V`` numbers: its characters.
        spacing: which labels hold spaces. Where none does, phrases count wherever they stand.
        weight: in nats, of each character.

    Attributes:
        starts: the state at the beginning of a text, of each list.
        next: the state behind a label, ``[states, V]``.
        gain: what a label adds, in nats, ``[states, V]`` float64.
        final: what the end of the text adds, ``[states]``.
        most: what a label adds at most, at least 0.
        phrases: how many a list has at most.
    """

    def __init__(
        self,
        lists: Sequence[Sequence[Sequence[int]]],
        sizes: Sequence[float],
        spacing: WordSpacing,
        weight: float,
    ) -> None:
        begins, bare = spacing.begins.tolist(), spacing.is_bare.tolist()
        has_words = spacing.has_words
        self.starts: list[int] = []
        count = len(begins)
        steps: list[list[int]] = []  # [states][V]: behind a label that is taken as it is, or the boundary
        pending: list[float] = []
        awards: list[float] = []
        ended: list[int] = []
        values: list[float] = []
        for phrases in lists:
            paths = []
            for phrase in phrases:
                atoms = [BOUNDARY] if has_words else []
                for label in phrase:
                    if begins[label] and atoms[-1] != BOUNDARY:
                        atoms.append(BOUNDARY)
                    if not bare[label]:
                        atoms.append(label)
                paths.append([*atoms, BOUNDARY] if has_words else atoms)
            root = len(steps)
            own = _automaton(paths, sizes, count, weight)
            steps += [[root + state for state in row] for row in own.steps]
            pending += own.pending
            awards += own.awards
            ended += own.ended
            values += own.values
            self.starts.append(steps[root][BOUNDARY] if has_words else root)
        table = np.array(steps)  # [states, V]
        held, given = np.array(pending), np.array(awards)
        worth = held[table] - held[:, None] + given[table]
        # A label with a space is the boundary, and what stands behind it.
        behind, added = table[:, BOUNDARY], worth[:, BOUNDARY]
        spaced = spacing.begins & ~spacing.is_bare
        self.next = np.where(spaced, table[behind], table)
        self.gain = np.where(spaced, added[:, None] + worth[behind], worth)
        self.next = np.where(spacing.is_bare, behind[:, None], self.next)
        self.gain = np.where(spacing.is_bare, added[:, None], self.gain)
        self.final = added - held[behind] if has_words else -held
        self.most = max(0.0, float(self.gain.max()))
        self.phrases = max(map(len, lists))
        self._begins, self._behind = spacing.begins, behind if has_words else None
        self._ended, self._values = np.array(ended), np.array(values)

    def completed(
        self, states: NDArray[np.int64], labels: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The phrase (its place in its list) that a label, or the end, completes behind a state, and its bonus.

        Args:
            states: of any shape.
            labels: of the same; None: the end of the text.

        Returns:
            Of the longest phrase that is complete: -1 where none is, and nats, float64.
        """
        if labels is None:
            found = self._behind[states] if self._behind is not None else np.full_like(states, self.starts[0])
        else:
            found = self.next[states, labels]
            if self._behind is not None:  # phrases end with words, before the label
                found = np.where(self._begins[labels], self._behind[states], found)
        return self._ended[found], self._values[found]


class _Automaton(NamedTuple):
    """Of one list, for each of its states.

    Attributes:
        steps: the states behind each atom.
        pending: what it may yet take back.
        awards: what it grants.
        ended: the longest phrase that ends with it; -1 where none does.
        values: the bonus of that.
    """

    steps: list[list[int]]
    pending: list[float]
    awards: list[float]
    ended: list[int]
    values: list[float]


def _automaton(paths: Sequence[Sequence[int]], sizes: Sequence[float], count: int, weight: float) -> _Automaton:
    """Of phrases as paths of ``count`` atoms."""
    children: list[dict[int, int]] = [{}]
    depth = [0.0]  # the bonus of the whole path
    phrase = [-1]  # that ends here, as a whole
    for number, path in enumerate(paths):
        node = 0
        for atom in path:
            if atom not in children[node]:
                children[node][atom] = len(children)
                children.append({})
                depth.append(depth[node] + weight * (0.0 if atom == BOUNDARY else sizes[atom]))
                phrase.append(-1)
            node = children[node][atom]
        phrase[node] = number if phrase[node] < 0 else phrase[node]
    ended = list(phrase)
    steps = [[0] * count for _ in children]
    fails, granted, awards = [0] * len(children), [0.0] * len(children), [0.0] * len(children)
    below = [0.0] * len(children)  # the bonus of the longest phrase that ends here, as a whole or within
    queue = deque([0])
    while queue:
        node = queue.popleft()
        if node:
            steps[node] = list(steps[fails[node]])
        for atom, child in children[node].items():
            fails[child] = steps[fails[node]][atom] if node else 0
            is_end = phrase[child] >= 0
            below[child] = depth[child] if is_end else below[fails[child]]
            ended[child] = phrase[child] if is_end else ended[fails[child]]
            awards[child] = max(0.0, depth[child] - granted[node]) if is_end else 0.0
            if not is_end and below[child]:
                awards[child] = min(below[child], depth[child] - granted[node])
            granted[child] = granted[node] + awards[child]
            steps[node][atom] = child
            queue.append(child)
    # A phrase within another one, which breaks off, is granted by the state that the search falls back to.
    pending = [whole - given for whole, given in zip(depth, granted, strict=True)]
    return _Automaton(steps, pending, awards, ended, below)
