"""Texts out of a decoder's graph: the likeliest label at each step, or beam search; see `seqpipe.decoding.beam`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.generated import FUSED_LABELS, TOUCHED, Generated, best_of, is_hopeful
from seqpipe.errors import ConfigError
from seqpipe.runtime.ctc_prefixes import CTCPrefixes

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
NEVER = float("-inf")


@dataclass(frozen=True)
class SearchOptions:
    """Options of decoding as `seqpipe.decoding.generation.GenerationDecoding` has them; see there."""

    method: str = "beam"
    beam: int = 5
    n_best: int = 1
    length_normalization: str = "average"
    length_power: float = 1.0
    coverage_penalty: float = 0.0
    ctc_weight: float = 0.0
    min_length: int = 0
    max_length: int | None = None
    max_ratio: float = 2.0
    max_extra: int = 10
    no_repeat_ngram: int = 0

    @classmethod
    def of(cls, decoding: Mapping[str, Any]) -> SearchOptions:
        """Those among the options of a model.

        Raises:
            ConfigError: one asks for what an exported model can't do.
        """
        found = cls(**{each.name: decoding[each.name] for each in fields(cls) if each.name in decoding})
        if found.method not in ("greedy", "beam"):
            raise ConfigError(f"decoding.method: an exported model writes by greedy or beam; it is {found.method}")
        for name in ("lm", "hot_words", "hot_words_column", "insertion_bonus") if found.method == "beam" else ():
            if decoding.get(name):
                raise ConfigError(f"decoding.{name}: an exported model searches without it; leave it out")
        return found

    def normalized(self, log_probability: Floats, length: Any) -> Floats:
        """What hypotheses are compared by; ``length``: labels, the end included."""
        if self.length_normalization == "none":
            return log_probability
        length = np.asarray(length, np.float64)
        scale = length if self.length_normalization == "average" else (5 + length) / 6
        found: Floats = log_probability / scale**self.length_power
        return found

    def length_limits(self, steps: Numbers) -> Numbers:
        """Labels that an answer to inputs of so many encoded steps has at most, without the end, ``[B]``."""
        most = np.maximum((steps.astype(np.float32) * np.float32(self.max_ratio)).astype(np.int64) + self.max_extra, 1)
        return most if self.max_length is None else np.minimum(most, self.max_length)


class Continuation(Protocol):
    """What may come next, for W hypotheses of each of B rows; begins with one of each that has no label yet."""

    rows: int

    def step(self, last: Numbers) -> tuple[NDArray[np.float32], Floats, NDArray[np.float32]]:
        """Go on by labels ``[B, W]``, at the beginning the end's.

        Returns:
            Logits of the next labels ``[B, W, V]``; what is to be subtracted from these to have log-probabilities,
            ``[B, W]`` (kept apart, since in float32 the difference would make ties); and weights of attention
            ``[B, W, T]``.
        """
        ...

    def choose(self, rows: Numbers, origins: Numbers) -> None:
        """Go on with these rows ``[B']``, and of each with these hypotheses ``[B', W']``."""
        ...


def write_greedily(
    continuation: Continuation, steps: Numbers, end: int, options: SearchOptions
) -> list[list[Generated]]:
    """The likeliest label at each step: a hypothesis of each row.

    Args:
        continuation: what may come next.
        steps: encoded steps of each row, ``[B]``.
        end: the label that ends an answer.
        options: limits.
    """
    numbers, limits = np.arange(continuation.rows), options.length_limits(steps)
    written = np.zeros((len(numbers), 1, 0), np.int64)
    totals, last = np.zeros(len(numbers)), np.full((len(numbers), 1), end)
    found: list[list[Generated]] = [[] for _ in numbers]
    while len(numbers):
        length = written.shape[2]
        logits, normalizer, _ = continuation.step(last)
        last = restrained(logits, written, end=end, at_limit=length >= limits, options=options).argmax(axis=2)
        totals = totals + np.take_along_axis(logits, last[..., None], axis=2)[:, 0, 0] - normalizer[:, 0]
        values = options.normalized(totals, length + 1)
        ended = last[:, 0] == end
        for place in np.flatnonzero(ended).tolist():
            text = written[place, 0].tolist()
            found[numbers[place]].append(Generated(text, float(totals[place]), float(values[place])))
        kept = np.flatnonzero(~ended)
        continuation.choose(kept, np.zeros((len(kept), 1), np.int64))
        written = np.concatenate([written, last[..., None]], axis=2)[kept]
        numbers, limits, totals, last = numbers[kept], limits[kept], totals[kept], last[kept]
    return found


def beam_search(
    continuation: Continuation,
    steps: Numbers,
    end: int,
    options: SearchOptions,
    prefixes: CTCPrefixes | None = None,
) -> list[list[Generated]]:
    """The best hypotheses of each row, best first; see `seqpipe.decoding.beam.beam_search`, whose steps these are.

    Args:
        continuation: what may come next.
        steps: encoded steps of each row, ``[B]``.
        end: the label that ends an answer.
        options: beam, normalisation, penalties and limits.
        prefixes: by CTC, where ``ctc_weight`` gives that a share. Labels are CTC's less 1.

    Returns:
        For each row at most ``n_best`` hypotheses; none where by CTC nothing fits into its steps.
    """
    rows, width = continuation.rows, options.beam
    found: list[list[Generated]] = [[] for _ in range(rows)]
    numbers, limits = np.arange(rows), options.length_limits(steps)  # of the rows that aren't done
    written = np.zeros((rows, 1, 0), np.int64)
    own = np.zeros((rows, 1))  # log-probabilities, without CTC
    last = np.full((rows, 1), end)
    covered: Floats | None = None
    absent = np.arange(int(steps.max())) >= steps[:, None]  # [B, T]
    while len(numbers):
        count, hypotheses, length = written.shape
        logits, normalizer, weights = continuation.step(last)
        allowed = restrained(logits, written, end=end, at_limit=length >= limits, options=options)
        # Each hypothesis ends in one way only, so twice the beam leaves enough of those that go on.
        most = min(2 * width, hypotheses * allowed.shape[2])
        following = _likeliest(allowed, most if prefixes is None else max(2 * width, FUSED_LABELS))
        likely = np.take_along_axis(allowed, following, axis=2)
        if prefixes is not None:  # the end comes behind, and once: CTC may be surer of it
            likely[following == end] = NEVER
            likely = np.concatenate([likely, allowed[..., end : end + 1]], axis=2)
            following = np.concatenate([following, np.full_like(following[..., :1], end)], axis=2)
        sums = best = ((own - normalizer)[..., None] + likely).reshape(count, -1)
        if prefixes is not None:
            grown = np.minimum(following, end - 1) + 1
            by_ctc = np.where(following == end, prefixes.ended()[..., None], prefixes.extended(grown))
            with np.errstate(invalid="ignore"):
                best = (1 - options.ctc_weight) * sums + options.ctc_weight * by_ctc.reshape(count, -1)
        size = following.shape[2]
        places = _greatest(best, most)
        best, sums = np.take_along_axis(best, places, axis=1), np.take_along_axis(sums, places, axis=1)
        origins, labels = places // size, np.take_along_axis(following.reshape(count, -1), places, axis=1)
        ends = labels == end
        ending = ends & ~np.isneginf(best)
        ending[:, width:] = False
        penalties = np.zeros_like(best)
        if options.coverage_penalty:
            covered = weights.astype(np.float64) if covered is None else covered + weights
            shares = np.log(np.clip(covered[..., : absent.shape[1]], TOUCHED, 1.0))
            shares = np.where(absent[:, None], 0.0, shares)
            penalties = np.take_along_axis(options.coverage_penalty * shares.sum(axis=-1), origins, axis=1)
        values = options.normalized(best, length + 1) + penalties
        for at, rank in zip(*ending.nonzero(), strict=True):
            path = written[at, origins[at, rank]].tolist()
            found[numbers[at]].append(Generated(path, float(sums[at, rank]), float(values[at, rank])))
        # Those that go on, in their order.
        going = np.argsort(ends, axis=1, kind="stable")[:, :width]
        scores = np.take_along_axis(np.where(ends, NEVER, best), going, axis=1)
        own = np.take_along_axis(np.where(ends, NEVER, sums), going, axis=1)
        origins, labels = np.take_along_axis(origins, going, axis=1), np.take_along_axis(labels, going, axis=1)
        every = np.arange(count)[:, None]
        written = np.concatenate([written[every, origins], labels[..., None]], axis=2)
        covered = covered[every, origins] if covered is not None else None
        # The most that any of them can become: what follows can only lower its probability. What is below 0 the longest
        # answer divides by most.
        longest = np.maximum(limits, length + 1) + 1
        hopes = np.maximum(options.normalized(scores[:, 0], longest), options.normalized(scores[:, 0], length + 2))
        pairs = zip(numbers.tolist(), hopes.tolist(), strict=True)
        kept = np.flatnonzero([is_hopeful(found[number], hope, options.n_best) for number, hope in pairs])
        continuation.choose(kept, origins[kept])
        if prefixes is not None:
            prefixes.choose(kept, origins[kept], np.minimum(labels[kept], end - 1) + 1)
        numbers, limits, absent, own = numbers[kept], limits[kept], absent[kept], own[kept]
        written, last = written[kept], labels[kept]
        covered = covered[kept] if covered is not None else None
    return [best_of(each, options.n_best) for each in found]


def restrained(
    logits: NDArray[np.float32], written: Numbers, *, end: int, at_limit: NDArray[np.bool_], options: SearchOptions
) -> NDArray[np.float32]:
    """Logits of what may come next, minus infinity for what mayn't; where nothing may, the end does.

    Args:
        logits: ``[B, W, V]``.
        written: labels so far ``[B, W, L]``.
        end: the label that ends an answer.
        at_limit: ``[B]``, where nothing but the end is left.
        options: `min_length` and `no_repeat_ngram` count.
    """
    length, size = written.shape[2], options.no_repeat_ngram
    if options.min_length <= length and not size and not at_limit.any():
        return logits
    found = logits.copy()
    if length < options.min_length:
        found[..., end] = NEVER
    if size and length >= size:
        for row, hypothesis in np.ndindex(written.shape[:2]):
            grams = np.lib.stride_tricks.sliding_window_view(written[row, hypothesis], size)
            again = (grams[:, :-1] == written[row, hypothesis, length - size + 1 :]).all(axis=1)
            found[row, hypothesis, grams[again, -1]] = NEVER
    found[at_limit] = NEVER
    nothing = np.isneginf(found).all(axis=2)
    found[..., end] = np.where(nothing, logits[..., end], found[..., end])
    return found


def _likeliest(values: NDArray[Any], count: int) -> Numbers:
    """The labels of the greatest of ``[..., V]``, in no order, ``[..., count]``."""
    if count >= values.shape[-1]:
        return np.broadcast_to(np.arange(values.shape[-1]), values.shape).copy()
    found: Numbers = np.argpartition(values, values.shape[-1] - count, axis=-1)[..., -count:]
    return found


def _greatest(values: Floats, count: int) -> Numbers:
    """Places of the greatest of each row, greatest first, ``[B, count]``."""
    places = _likeliest(values, count)
    order = np.argsort(-np.take_along_axis(values, places, axis=1), axis=1, kind="stable")
    found: Numbers = np.take_along_axis(places, order, axis=1)
    return found
