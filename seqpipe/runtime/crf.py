"""Linear-chain conditional random fields in numpy: best paths and posteriors, as `seqpipe.decoding.crf` has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.spans import split_tag

Numbers = NDArray[np.float64]
Potentials = tuple[Numbers, Numbers, Numbers]
"""Scores of neighbours ``[K, K]`` (from, to), of a start and of an end with each tag ``[K]``; -inf is forbidden."""
Spans = Sequence[tuple[str, int, int]]

RANGE = 300.0
"""Logarithms whose exponentials may be multiplied in float64, whose range is 700 nats each way."""


class Chains:
    """Rows side by side; to the last bit what each would be alone.

    Time-major, with one tag more than the task has, which stands in the padding: from any tag the end of a row leads
    to it, and it only follows itself. There is one step of it at least, so that all rows end in it.

    Args:
        rows: scores ``[T, K]`` of each.
        potentials: of all.
    """

    def __init__(self, rows: Sequence[NDArray[np.floating]], potentials: Potentials) -> None:
        transitions, start, end = potentials
        self.lengths = [len(row) for row in rows]
        self.size = len(start)
        self.scores = np.full((max(self.lengths) + 1, len(rows), self.size + 1), -np.inf)
        for place, row in enumerate(rows):
            self.scores[: len(row), place, : self.size] = row
            self.scores[len(row) :, place, self.size] = 0.0
        self.pairs = np.full((self.size + 1, self.size + 1), -np.inf)
        self.pairs[:-1, :-1], self.pairs[:-1, -1], self.pairs[-1, -1] = transitions, end, 0.0
        self.first = np.append(start, 0.0)

    def best_paths(self) -> NDArray[np.int64]:
        """The best path of each row, ``[T, B]`` (Viterbi 1967); of equal ones as `seqpipe.decoding.crf.viterbi`."""
        current = self.first + self.scores[0]
        ahead = [current]
        for scores in self.scores[1:]:
            current = (current[:, :, None] + self.pairs).max(axis=1) + scores
            ahead.append(current)
        tag = np.full(current.shape[0], self.size)
        path = [tag]
        backward = np.ascontiguousarray(self.pairs.T)
        for sums in reversed(ahead[:-1]):
            tag = (sums + backward[tag]).argmax(axis=1)
            path.append(tag)
        return np.stack(path[::-1])

    def messages(self) -> Messages:
        """Sums over all paths."""
        return Messages(self)

    def path_scores(self, path: NDArray[np.int64]) -> Numbers:
        """The score of a path of each row ``[T, B]``: ``[B]``."""
        own = np.take_along_axis(self.scores, path[..., None], axis=2)[..., 0]
        own[0] += self.first[path[0]]
        own[1:] += self.pairs[path[:-1], path[1:]]
        found: Numbers = own.cumsum(axis=0)[-1]  # one after the other, whatever the padding
        return found

    def n_best(self, count: int) -> list[list[tuple[list[int], float]]]:
        """The best paths of each row with their scores, best first, as far as there are any (Schwartz & Chow 1990)."""
        current = (self.first + self.scores[0])[..., None]  # [B, S, kept]
        rows = np.arange(len(current))[:, None]
        steps = []
        for scores in self.scores[1:]:
            kept = current.shape[2]
            sums = (current[..., None] + self.pairs[:, None, :]).reshape(len(current), -1, len(self.first))
            sums = sums.transpose(0, 2, 1)  # [B, to, from · kept]
            order = np.argsort(-sums, axis=2, kind="stable")[..., :count]
            current = np.take_along_axis(sums, order, axis=2) + scores[..., None]
            steps.append((order, kept))
        totals = current[:, -1]
        tag, place = np.full(totals.shape, self.size), np.broadcast_to(np.arange(totals.shape[1]), totals.shape)
        path = []
        for order, kept in reversed(steps):
            number = order[rows, tag, place]
            tag, place = number // kept, number % kept
            path.append(tag)
        paths = np.stack(path[::-1], axis=-1).tolist()  # [B, kept, T]
        return [
            [(tags[:length], score) for tags, score in zip(*row, strict=True) if score > -np.inf]
            for length, *row in zip(self.lengths, paths, totals.tolist(), strict=True)
        ]


class Messages:
    """Sums over all beginnings and all ends of paths, with logarithms.

    Attributes:
        forward: ``[T, B, S]``: beginnings up to a tag, its own score included.
        backward: what may follow it.
        totals: ``[B]``, all paths.
    """

    def __init__(self, chains: Chains) -> None:
        self.chains = chains
        scores, pairs = chains.scores, chains.pairs
        self.forward = np.empty_like(scores)
        self.forward[0] = chains.first + scores[0]
        there, back = _Step(pairs), _Step(np.ascontiguousarray(pairs.T))
        for step in range(1, len(scores)):
            self.forward[step] = there(self.forward[step - 1]) + scores[step]
        self.backward = np.empty_like(scores)
        self.backward[-1] = np.where(np.arange(pairs.shape[0]) == chains.size, 0.0, -np.inf)
        for step in reversed(range(len(scores) - 1)):
            self.backward[step] = back(self.backward[step + 1] + scores[step + 1])
        self.totals = self.forward[-1, :, -1]

    def posteriors(self, path: NDArray[np.int64]) -> Numbers:
        """Of a path of each row ``[T, B]``: ``[B]``."""
        found: Numbers = np.exp(np.minimum(self.chains.path_scores(path) - self.totals, 0.0))
        return found

    def marginals(self, row: int) -> Numbers:
        """The posterior of each tag at each step of a row, ``[T, K]``."""
        length, size = self.chains.lengths[row], self.chains.size
        logs = self.forward[:length, row, :size] + self.backward[:length, row, :size] - self.totals[row]
        found: Numbers = np.exp(np.minimum(logs, 0.0))
        return found

    def span_confidences(self, row: int, tags: NDArray[np.int64], spans: Spans, names: Sequence[str]) -> list[float]:
        """The probability of each span of a row's tags; see `seqpipe.decoding.span_confidence.span_confidences`.

        All paths that go through the span's tags are beginnings up to the first of these, times its further ones, times
        ends behind the last; without those that go on with I-.

        Args:
            row: its number.
            tags: its path, ``[T]``.
            spans: type, first word, word behind the last.
            names: of the tags.
        """
        scores, pairs, found = self.chains.scores[:, row], self.chains.pairs, []
        parts = [split_tag(name) for name in names]
        ends_are_marked = any(prefix in ("E", "S") for prefix, _ in parts)
        for kind, first, stop in spans:
            inside = tags[first:stop]
            further = pairs[inside[:-1], inside[1:]] + scores[np.arange(first + 1, stop), inside[1:]]
            last = self.backward[stop - 1, row, inside[-1]]
            log_share = self.forward[first, row, inside[0]] + float(further.sum()) + last - self.totals[row]
            share = float(np.exp(min(log_share, 0.0)))
            if not ends_are_marked and stop < self.chains.lengths[row] and ("I", kind) in parts:
                longer = parts.index(("I", kind))
                goes_on = pairs[inside[-1], longer] + scores[stop, longer] + self.backward[stop, row, longer] - last
                share *= float(-np.expm1(min(goes_on, 0.0)))
            found.append(min(max(share, 0.0), 1.0))
        return found


class _Step:
    """From logarithms of sums at one step to those at the next: ``[B, S]`` -> ``[B, S]``, a logsumexp over tags.

    As a product of exponentials, which is much faster, wherever no sum that matters is lost in it.
    """

    def __init__(self, pairs: Numbers) -> None:
        self.pairs = pairs
        finite = pairs[pairs > -np.inf]
        self.is_narrow = bool(np.abs(finite).max() < RANGE)
        self.factors = np.exp(pairs) if self.is_narrow else pairs

    def __call__(self, values: Numbers) -> Numbers:
        top = values.max(axis=1, keepdims=True)
        gaps = values - top
        with np.errstate(divide="ignore"):  # of what can't be reached
            if self.is_narrow and np.where(gaps > -np.inf, gaps, 0.0).min() > -RANGE:
                # A product a row, since one of all rows would differ in its last bits with their number.
                sums = np.matmul(np.exp(gaps)[:, None, :], self.factors)[:, 0]
                found: Numbers = np.log(sums) + top
                return found
            whole = values[:, :, None] + self.pairs
            most = whole.max(axis=1)
            most = np.where(most > -np.inf, most, 0.0)
            found = np.log(np.exp(whole - most[:, None, :]).sum(axis=1)) + most
            return found
