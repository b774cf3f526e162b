"""Beam search over the prefixes of CTC's label sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.active_steps import ActiveSteps, active_steps
from seqpipe.decoding.ordering import greatest, ordered, place_of, power_of_two, value_of
from seqpipe.decoding.prefix_beam import Beam, joined
from seqpipe.decoding.prefix_scorer import Candidates, PrefixScorer, PrefixScores
from seqpipe.decoding.prefix_tree import PrefixTree, grown_hash

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

GROUP = 4096
"""Hypotheses of all rows that are followed together: more don't fit into a core's cache."""
ROOT_HASH, NO_PARENT, DEAD, DEAD_PARENT = 1, -1, -2, -3


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """What a prefix search follows.

    Attributes:
        beam: prefixes of a row that are followed at a time.
        n_best: that are given.
        min_probability: labels below it are not tried at a step; steps where only the blank is above it cost nothing.
        max_labels: the likeliest labels that are tried at a step, at most.
        beam_threshold: in nats; what is worse than the best prefix by more is given up.
    """

    beam: int = 50
    n_best: int = 1
    min_probability: float = 1e-4
    max_labels: int = 40
    beam_threshold: float = 16.0


@dataclass(frozen=True, slots=True)
class PrefixHypothesis:
    """A label sequence that a search has found.

    Attributes:
        labels: without blanks and repeats, each in 1 to V - 1.
        log_probability: of the labels given the input by CTC, in nats, over the alignments that the search has kept.
        score: that, and what the scorer adds: what hypotheses are compared by.
    """

    labels: tuple[int, ...]
    log_probability: float
    score: float


def prefix_search(
    rows: Sequence[NDArray[np.floating]], limits: SearchLimits, scorer: PrefixScorer | None = None
) -> list[list[PrefixHypothesis]]:
    """The likeliest label sequences of each row, best first (Hannun et al. 2014, prefix beam search).

    A prefix has the probability of all of its alignments, those that end in a blank and those that end in its last
    label; prefixes that are reached in several ways are one. With limits that are wide enough this is exact. Ties go to
    the prefix that was better before, then to the likelier label. A row's result is the same to the last bit in any
    batch.

    Args:
        rows: log-probabilities ``[T_i, V]`` of each; label 0 is the blank.
        limits: of the search.
        scorer: what a language model, a lexicon and the like add to a prefix; None: nothing.

    Returns:
        For each row one to ``n_best`` hypotheses. Where no prefix may end as it stands (a closed lexicon), those that
        may not are given.
    """
    if not rows:
        return []
    steps = active_steps(rows, limits.min_probability, limits.max_labels)
    scorer = scorer if scorer is not None else PrefixScorer()
    found: list[list[PrefixHypothesis]] = [[] for _ in rows]
    # Rows of similar numbers of steps together, the longest first, so that those that end are the last ones.
    order = np.argsort(-steps.counts, kind="stable")
    size = max(1, GROUP // limits.beam)
    for first in range(0, len(order), size):
        group = order[first : first + size]
        for row, hypotheses in zip(group.tolist(), _search(steps.chosen(group), group, limits, scorer), strict=True):
            found[row] = hypotheses
    return found


def _search(
    steps: ActiveSteps, rows: Numbers, limits: SearchLimits, scorer: PrefixScorer
) -> list[list[PrefixHypothesis]]:
    count = len(rows)
    run = scorer.begin(rows.tolist(), steps.probabilities.shape[1])
    tree = PrefixTree(count)
    one, none = np.ones((count, 1)), np.zeros((count, 1), np.int64)
    beam = Beam(one, one * 0, one, one * 0, tree.roots[:, None], none + ROOT_HASH, none + NO_PARENT, none, run.state)
    exponents = np.zeros(count, np.int64)
    finished: list[Beam] = []
    for step in range(int(steps.counts.max())):
        left = int((steps.counts > step).sum())
        if left < count:
            finished.append(beam.tail(left))
            run.retire(finished[-1].state)
            beam, count = beam.head(left), left
        beam, shift = _advance(beam, steps, steps.firsts[:left] + step, limits, run, tree)
        exponents[:left] += shift
    finished.append(beam)
    run.retire(beam.state)
    whole = joined(finished[::-1], run.retired[::-1])
    whole = whole.behind_blank(steps.blank_behind)
    scales = exponents * math.log(2.0) + steps.blank_scores
    return _finished(whole, scales, limits, run, tree)


def _advance(
    beam: Beam, steps: ActiveSteps, at: Numbers, limits: SearchLimits, run: PrefixScores, tree: PrefixTree
) -> tuple[Beam, Numbers]:
    """The beam behind a step of each row, ``at [n]``, and the power of two that probabilities were divided by."""
    rows, width = beam.blank.shape
    beam = beam.behind_blank(steps.blank_before[at])
    tried, likely = steps.labels[at], steps.label_probabilities[at]  # [n, K]
    emitted = steps.probabilities[at]  # [n, V]
    total = beam.blank + beam.label
    own = np.take_along_axis(emitted, beam.last, axis=1)
    # Prefixes that stay as they are.
    blank = total * emitted[:, :1]
    label = beam.label * own
    # Prefixes with a label more that are in the beam already.
    child, parent = _parents(beam, own >= limits.min_probability)
    grown = beam.last.take(child)
    if len(child):
        before = np.where(grown == beam.last.take(parent), beam.blank.take(parent), total.take(parent))
        label.put(child, label.take(child) + before * own.take(child))
    staying = (blank + label) * beam.weight
    # The others. What can't come among the best is left before anybody is asked about it.
    least = staying.max(axis=1) * math.exp(-limits.beam_threshold)
    if width == limits.beam:
        least = np.maximum(least, staying.min(axis=1))
    worth = total * beam.weight
    needed = np.divide(least[:, None], worth, out=np.full_like(worth, math.inf), where=worth > 0)  # [n, W]
    hoped = likely * run.most.take(tried)
    is_tried = (hoped > needed.min(axis=1)[:, None]).any(axis=0)
    most = int(is_tried.nonzero()[0].max(initial=-1)) + 1
    tried, likely = np.ascontiguousarray(tried[:, :most]), np.ascontiguousarray(likely[:, :most])
    is_candidate = hoped[:, None, :most] > needed[:, :, None]  # [n, W, K]
    if len(child):
        which, place = (tried[child // width] == grown[:, None]).nonzero()
        is_candidate.put(parent[which] * most + place, False)
    place = np.flatnonzero(is_candidate)
    source = place // max(1, most)
    place += (source // width - source) * most  # of the label among those that are tried, counted through all rows
    candidates = Candidates(source, tried.take(place))
    if (allowed := run.allowed(beam.state, candidates)) is not None:
        candidates, place = candidates.chosen(allowed), place[allowed]
    source = candidates.source
    again = candidates.label == beam.last.take(source)
    mass = np.where(again, beam.blank.take(source), total.take(source)) * likely.take(place)
    value = mass * beam.weight.take(source)
    gain, candidates = run.extend(beam.state, candidates)
    factor = None
    if gain is not None:
        factor = np.exp(gain)
        value = value * factor
        kept = np.flatnonzero(value > least.take(source // width))
        if len(kept) < len(value):
            mass, value, gain, factor = mass[kept], value[kept], gain[kept], factor[kept]
            candidates = candidates.chosen(kept)
    # The best of both.
    chosen, new, which, live = _best(staying, value, candidates.source // width, limits)
    origin = np.arange(0, rows * width, width)[:, None] + chosen
    origin.put(new, candidates.source[which])
    last, own_hash, parents = beam.last.take(origin), beam.hash.take(origin), beam.node.take(origin)
    kept_blank, kept_label = blank.take(origin), label.take(origin)
    weight, added, parent_hash = beam.weight.take(origin), beam.added.take(origin), beam.parent_hash.take(origin)
    state = run.select(beam.state, origin, new, which, candidates)
    grown, before = candidates.label[which], own_hash.take(new)
    if gain is not None and factor is not None:
        weight.put(new, weight.take(new) * factor[which])
        added.put(new, added.take(new) + gain[which])
    kept_blank.put(new, 0.0)
    kept_label.put(new, mass[which])
    last.put(new, grown)
    parent_hash.put(new, before)
    own_hash.put(new, grown_hash(before, grown))
    parents.put(new, tree.grow(parents.take(new), grown))
    if not live.all():
        kept_blank, kept_label = kept_blank * live, kept_label * live
        own_hash, parent_hash = np.where(live, own_hash, DEAD), np.where(live, parent_hash, DEAD_PARENT)
    shift = _exponent(kept_blank + kept_label)
    scale = power_of_two(-shift)[:, None]
    weight = weight * power_of_two(-_exponent(weight * live))[:, None]
    made = Beam(kept_blank * scale, kept_label * scale, weight, added, parents, own_hash, parent_hash, last, state)
    return made, shift


def _parents(beam: Beam, is_likely: NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    """Hypotheses and those that they have grown out of, where these are in the beam too; counted through all rows.

    Where the last label is as good as impossible at this step nothing comes from there, so nobody looks for it.

    Args:
        beam: of W hypotheses.
        is_likely: whether a hypothesis' last label is, ``[n, W]``.
    """
    width = is_likely.shape[1]
    child = np.flatnonzero(is_likely)
    row = child // width
    pair = np.flatnonzero(beam.parent_hash.take(child)[:, None] == beam.hash[row])
    child, place = child[pair // width], pair % width
    return child, child // width * width + place


def _exponent(values: Floats) -> Numbers:
    """Of each row's greatest, as a power of two, ``[n]``; 0 where all are 0."""
    return np.frexp(values.max(axis=1))[1].astype(np.int64).clip(-1000, 1000)


def _best(
    staying: Floats, value: Floats, row: Numbers, limits: SearchLimits
) -> tuple[Numbers, Numbers, Numbers, NDArray[np.bool_]]:
    """The best of prefixes that stay, ``[n, W]``, and of new ones ``[N]``, sorted by their rows.

    Returns:
        Of W' hypotheses of each row: their places among those that stay, ``[n, W']``; which are new, counted through
        all rows, and their places among the new ones, ``[M]`` each; whether there is such a hypothesis, ``[n, W']``.
    """
    rows, width = staying.shape
    counts = np.bincount(row, minlength=rows)
    starts = counts.cumsum() - counts
    most = width + int(counts.max())
    keys = np.zeros((rows, most))
    keys[:, :width] = staying
    keys.put(row * most + width + np.arange(len(row)) - starts[row], value)
    top = greatest(ordered(keys), min(limits.beam, most))
    values = value_of(top)
    live = (values >= values[:, :1] * math.exp(-limits.beam_threshold)) & (top > 0)
    if not live[:, -1].all():
        size = max(1, int(live.sum(axis=1).max()))
        top, live = top[:, :size], np.ascontiguousarray(live[:, :size])
    chosen = place_of(top)
    new = np.flatnonzero((chosen >= width) & live)
    which = chosen.take(new) - width + starts[new // chosen.shape[1]]
    return chosen.clip(max=width - 1), new, which, live


def _finished(
    beam: Beam, scales: Floats, limits: SearchLimits, run: PrefixScores, tree: PrefixTree
) -> list[list[PrefixHypothesis]]:
    total = beam.blank + beam.label
    by_ctc = np.log(total, out=np.full_like(total, -math.inf), where=total > 0) + scales[:, None]
    scores = by_ctc + beam.added
    ended = scores + run.finish(beam.state)
    nothing = np.isneginf(ended).all(axis=1, keepdims=True)
    scores = np.where(nothing, scores, ended)
    places = np.argsort(-scores, axis=1, kind="stable")[:, : limits.n_best]
    labels = tree.labels(np.take_along_axis(beam.node, places, axis=1))
    columns = (np.take_along_axis(item, places, axis=1).tolist() for item in (by_ctc, scores))
    return [
        [
            PrefixHypothesis(path, ctc, score)
            for place, (path, ctc, score) in enumerate(zip(*row, strict=True))
            if place == 0 or score > -math.inf
        ]
        for row in zip(labels, *columns, strict=True)
    ]
