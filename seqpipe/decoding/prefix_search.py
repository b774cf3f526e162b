"""Beam search over the prefixes of CTC's label sequences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.active_steps import ActiveSteps, active_steps
from seqpipe.decoding.prefix_beam import Beam, joined
from seqpipe.decoding.prefix_scorer import Candidates, PrefixScorer, PrefixScores
from seqpipe.decoding.prefix_tree import PrefixTree, grown_hash
from seqpipe.decoding.steady import ordered, place_of, power_of_two, steady, value_of

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
    emissions: PaddedSequence, limits: SearchLimits, scorer: PrefixScorer | None = None
) -> list[list[PrefixHypothesis]]:
    """The likeliest label sequences of each row, best first (Hannun et al. 2014, prefix beam search).

    A prefix has the probability of all of its alignments, those that end in a blank and those that end in its last
    label; prefixes that are reached in several ways are one. With limits that are wide enough this is exact. Ties go to
    the prefix that was better before, then to the likelier label. A row's result is the same to the last bit in any
    batch.

    Args:
        emissions: log-probabilities ``[B, T, V]``; label 0 is the blank.
        limits: of the search.
        scorer: what a language model, a lexicon and the like add to a prefix; None: nothing.

    Returns:
        For each row one to ``n_best`` hypotheses. Where no prefix may end as it stands (a closed lexicon), those that
        may not are given.
    """
    steps = active_steps(emissions, limits.min_probability, limits.max_labels)
    scorer = scorer if scorer is not None else PrefixScorer()
    found: list[list[PrefixHypothesis]] = [[] for _ in range(len(steps.counts))]
    # Rows of similar numbers of steps together, the longest first, so that those that end are the last ones.
    order = torch.argsort(steps.counts, descending=True, stable=True)
    for rows in order.split(max(1, GROUP // limits.beam)):
        for row, hypotheses in zip(rows.tolist(), _search(steps.chosen(rows), rows, limits, scorer), strict=True):
            found[row] = hypotheses
    return found


def _search(
    steps: ActiveSteps, rows: Tensor, limits: SearchLimits, scorer: PrefixScorer
) -> list[list[PrefixHypothesis]]:
    count = len(rows)
    run = scorer.begin(rows.tolist(), steps.probabilities.shape[2])
    tree = PrefixTree(count)
    one = torch.ones(count, 1, dtype=torch.float64)
    none = torch.zeros(count, 1, dtype=torch.int64)
    beam = Beam(one, one * 0, one, one * 0, tree.roots[:, None], none + ROOT_HASH, none + NO_PARENT, none, run.state)
    exponents = torch.zeros(count, dtype=torch.int64)
    finished: list[Beam] = []
    going = (steps.counts[:, None] > torch.arange(steps.labels.shape[1])).sum(dim=0).tolist()
    for step, left in enumerate(going):
        if left < len(beam.blank):
            finished.append(beam.tail(left))
            run.retire(finished[-1].state)
            beam = beam.head(left)
        beam, shift = _advance(beam, steps, step, limits, run, tree)
        exponents[:left] += shift
    finished.append(beam)
    run.retire(beam.state)
    whole = joined(finished[::-1], run.retired[::-1])
    whole = whole.behind_blank(steps.blank_behind)
    scales = exponents.double() * math.log(2.0) + steps.blank_scores
    return _finished(whole, scales, limits, run, tree)


def _advance(
    beam: Beam, steps: ActiveSteps, step: int, limits: SearchLimits, run: PrefixScores, tree: PrefixTree
) -> tuple[Beam, Tensor]:
    """The beam behind a step, and the power of two by which each row's probabilities were divided, ``[n]``."""
    rows, width = beam.blank.shape
    beam = beam.behind_blank(steps.blank_before[:rows, step])
    emitted = steps.probabilities[:rows, step]  # [n, V]
    tried, likely = steps.labels[:rows, step], steps.label_probabilities[:rows, step]  # [n, K]
    total = beam.blank + beam.label
    # Prefixes that stay as they are.
    blank = total * emitted[:, :1]
    label = beam.label * emitted.gather(1, beam.last)
    # Prefixes with a label more that are in the beam already.
    row, child, parent = _parents(beam, emitted, limits.min_probability)
    if len(row):
        grown = beam.last[row, child]
        before = torch.where(grown == beam.last[row, parent], beam.blank[row, parent], total[row, parent])
        label[row, child] += before * emitted[row, grown]
    staying = (blank + label) * beam.weight
    # The others. What can't come among the best is left before anybody is asked about it.
    least = staying.amax(dim=1) * math.exp(-limits.beam_threshold)
    if width == limits.beam:
        least = torch.maximum(least, staying.amin(dim=1))
    worth = total * beam.weight
    needed = (least[:, None] / worth).masked_fill(worth <= 0, math.inf)  # of a label's probability, [n, W]
    hoped = likely * run.most[tried]
    is_tried = hoped > needed.amin(dim=1, keepdim=True)
    most = int((is_tried * torch.arange(1, is_tried.shape[1] + 1)).amax()) if is_tried.numel() else 0
    tried, likely = tried[:, :most], likely[:, :most]
    is_candidate = hoped[:, None, :most] > needed[:, :, None]  # [n, W, K]
    if len(row):
        which, place = (tried[row] == grown[:, None]).nonzero(as_tuple=True)
        is_candidate[row[which], parent[which], place] = False
    row, origin, place = is_candidate.nonzero(as_tuple=True)
    candidates = Candidates(row, origin, tried[row, place])
    if (allowed := run.allowed(beam.state, candidates)) is not None:
        candidates, place = candidates.chosen(allowed), place[allowed]
        row, origin = candidates.row, candidates.origin
    again = candidates.label == beam.last[row, origin]
    mass = torch.where(again, beam.blank[row, origin], total[row, origin]) * likely[row, place]
    value = mass * beam.weight[row, origin]
    gain, candidates = run.extend(beam.state, candidates)
    factor = None
    if gain is not None:
        factor = steady(torch.exp, gain)
        value = value * factor
        if len(kept := (value > least[row]).nonzero()[:, 0]) < len(value):
            mass, value, gain, factor = mass[kept], value[kept], gain[kept], factor[kept]
            candidates = candidates.chosen(kept)
    # The best of both.
    chosen, is_new, which, live = _best(staying, value, candidates.row, limits)
    if len(candidates.row):
        origin = torch.where(is_new, candidates.origin[which], chosen)
        grown = torch.where(is_new, candidates.label[which], beam.last.gather(1, origin))
        new_mass = mass[which]
    else:
        origin, grown, new_mass = chosen, beam.last.gather(1, chosen), torch.zeros_like(chosen, dtype=torch.float64)
    own_hash, parents = beam.hash.gather(1, origin), beam.node.gather(1, origin)
    state = run.select(beam.state, origin, is_new, which, candidates)
    weight, added = beam.weight.gather(1, origin), beam.added.gather(1, origin)
    if gain is not None and factor is not None and len(gain):
        weight = torch.where(is_new, weight * factor[which], weight)
        added = torch.where(is_new, added + gain[which], added)
    kept_blank = blank.gather(1, origin).masked_fill(is_new, 0.0)
    kept_label = torch.where(is_new, new_mass, label.gather(1, origin))
    kept_hash = torch.where(is_new, grown_hash(own_hash, grown), own_hash)
    parent_hash = torch.where(is_new, own_hash, beam.parent_hash.gather(1, origin))
    node = tree.grow(parents, grown, is_new & live)
    if not bool(live.all()):
        dead = ~live
        kept_blank, kept_label = kept_blank.masked_fill(dead, 0.0), kept_label.masked_fill(dead, 0.0)
        kept_hash, parent_hash = kept_hash.masked_fill(dead, DEAD), parent_hash.masked_fill(dead, DEAD_PARENT)
    shift = _exponent(kept_blank + kept_label)
    scale = power_of_two(-shift)[:, None]
    weight = weight * power_of_two(-_exponent(weight.masked_fill(~live, 0.0)))[:, None]
    made = Beam(kept_blank * scale, kept_label * scale, weight, added, node, kept_hash, parent_hash, grown, state)
    return made, shift


def _parents(beam: Beam, emitted: Tensor, min_probability: float) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, hypotheses and those that they have grown out of, where these are in the beam too.

    Where the last label is as good as impossible at this step nothing comes from there, so nobody looks for it.
    """
    own = emitted.gather(1, beam.last)
    row, child = (own >= min_probability).nonzero(as_tuple=True)
    pair, parent = (beam.parent_hash[row, child][:, None] == beam.hash[row]).nonzero(as_tuple=True)
    return row[pair], child[pair], parent


def _exponent(values: Tensor) -> Tensor:
    """Of each row's greatest, as a power of two, ``[n]``; 0 where all are 0."""
    most = values.amax(dim=1)
    return torch.frexp(most).exponent.long().clamp(-1000, 1000)


def _best(staying: Tensor, value: Tensor, row: Tensor, limits: SearchLimits) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The best of prefixes that stay, ``[n, W]``, and of new ones ``[N]``, sorted by their rows.

    Returns:
        Of W' hypotheses of each row: their places among those that stay; whether they are new; their places among the
        new ones; and whether there is such a hypothesis. All ``[n, W']``.
    """
    rows, width = staying.shape
    counts = torch.bincount(row, minlength=rows)
    starts = counts.cumsum(0) - counts
    most = width + (int(counts.max()) if len(row) else 0)
    keys = staying.new_zeros(rows, most)
    keys[:, :width] = staying
    if len(row):
        keys[row, width + torch.arange(len(row)) - starts[row]] = value
    top = ordered(keys).topk(min(limits.beam, most), dim=1).values
    values = value_of(top)
    live = (values >= values[:, :1] * math.exp(-limits.beam_threshold)) & (top > 0)
    if not bool(live[:, -1].all()):
        size = max(1, int(live.sum(dim=1).max()))
        top, live = top[:, :size], live[:, :size]
    chosen = place_of(top).clamp(max=most - 1)
    is_new = (chosen >= width) & live
    which = (starts[:, None] + chosen - width).clamp(0, max(0, len(row) - 1))
    return chosen.clamp(max=width - 1), is_new, which, live


def _finished(
    beam: Beam, scales: Tensor, limits: SearchLimits, run: PrefixScores, tree: PrefixTree
) -> list[list[PrefixHypothesis]]:
    total = beam.blank + beam.label
    by_ctc = steady(torch.log, total) + scales[:, None]
    by_ctc = by_ctc.masked_fill(total <= 0, -math.inf)
    scores = by_ctc + beam.added
    ended = scores + run.finish(beam.state)
    nothing = torch.isneginf(ended).all(dim=1, keepdim=True)
    scores = torch.where(nothing, scores, ended)
    count = min(limits.n_best, scores.shape[1])
    best = scores.sort(dim=1, descending=True, stable=True)
    values, places = best.values[:, :count], best.indices[:, :count]
    labels = tree.labels(beam.node.gather(1, places))
    columns = (labels, by_ctc.gather(1, places).tolist(), values.tolist())
    return [
        [
            PrefixHypothesis(tuple(path), ctc, score)
            for place, (path, ctc, score) in enumerate(zip(*row, strict=True))
            if place == 0 or score > -math.inf
        ]
        for row in zip(*columns, strict=True)
    ]
