"""Beam search over many rows at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.decoding.ctc_prefixes import CTCPrefixes
from seqpipe.decoding.generated import FUSED_LABELS, TOUCHED, Generated, best_of, is_hopeful
from seqpipe.decoding.generation import Continuation, GenerationDecoding, restrained
from seqpipe.decoding.prefix_scorer import PrefixScorer
from seqpipe.decoding.scored_prefixes import ScoredPrefixes
from seqpipe.decoding.topk import largest, topk_sums

MAX_HOPE = 16.0
"""Nats of bonuses that a hypothesis is expected to be given yet, at most. What could be given to each label up to the
longest answer is far more, so that every row would be followed to there."""


def beam_search(
    continuation: Continuation,
    steps: Tensor,
    end: int,
    options: GenerationDecoding,
    prefixes: CTCPrefixes | None = None,
    scorer: PrefixScorer | None = None,
) -> list[list[Generated]]:
    """The best hypotheses of each row, best first.

    At each step the best continuations of a row's hypotheses are followed; those that end leave the beam, and others
    take their places. A row is done as soon as no hypothesis in its beam can become better than those that it has,
    whatever follows, and is not computed any further; so stopping early loses nothing. (Of bonuses, what follows is
    taken to bring `MAX_HOPE` at most.)

    Args:
        continuation: what may come next.
        steps: encoded steps of each row, ``[B]``.
        end: the label that ends an answer.
        options: beam, normalisation, penalties and limits.
        prefixes: by CTC, where ``ctc_weight`` gives that a share: hypotheses are then compared by 1 - w of their
            log-probability and w of that of their beginning by CTC, which falls too as they grow. Labels are CTC's
            less 1.
        scorer: what a language model and bonuses add (shallow fusion, Gulcehre et al. 2015); labels are its less 1, and
            the end is none of them. Hypotheses are compared by the sum.

    Returns:
        For each row at most ``n_best`` hypotheses; at least one.
    """
    rows, width = continuation.rows, options.beam
    device = steps.device
    found: list[list[Generated]] = [[] for _ in range(rows)]
    numbers = torch.arange(rows, device=device)  # of the rows that aren't done
    limits = options.length_limits(steps)
    written = torch.empty(rows, 1, 0, dtype=torch.int64, device=device)
    share = options.ctc_weight if prefixes is not None else 0.0
    own = torch.zeros(rows, 1, dtype=torch.float64, device=device)  # log-probabilities, without CTC and the scorer
    scored = None
    if scorer is not None and not scorer.is_neutral:
        scored = ScoredPrefixes(scorer, rows, end + 1, device)
    last = torch.full((rows,), end, device=device)
    covered: Tensor | None = None
    absent = torch.arange(int(steps.max()), device=device) >= steps[:, None]  # [B, T]
    while len(numbers):
        count, hypotheses, length = written.shape
        logits, normalizer, weights = continuation.step(last)
        at_limit = (length >= limits)[:, None].expand(-1, hypotheses).flatten()
        allowed = restrained(logits, written.flatten(0, 1), end=end, at_limit=at_limit, options=options)
        before = own - normalizer.double().view(count, hypotheses)
        # Each hypothesis ends in one way only, so twice the beam leaves enough of those that go on.
        most = min(2 * width, hypotheses * allowed.shape[1])
        if prefixes is None and scored is None:
            best, origins, labels = topk_sums(allowed, before, most)
            sums = best
        else:  # no hypothesis gives more than these, so that what is added up exactly, in float64, is short
            likely, following = _likeliest(allowed, max(2 * width, FUSED_LABELS), end, scored)
            size = likely.shape[1]
            sums = (before[..., None] + likely.double().unflatten(0, (count, hypotheses))).flatten(1)
            best, is_end, grown = sums, following == end, following.clamp(max=end - 1) + 1
            if prefixes is not None:
                by_ctc = torch.where(is_end, prefixes.ended()[:, None], prefixes.extended(grown))
                best = (1 - share) * sums + share * by_ctc.view(count, -1)
            if scored is not None:
                best = best + torch.where(is_end, scored.ended()[:, None], scored.extended(grown)).view(count, -1)
            best, places = best.topk(most, dim=1)
            sums = sums.gather(1, places)
            origins, labels = places // size, following.view(count, -1).gather(1, places)
        ends = labels == end
        ending = ends & ~torch.isneginf(best)
        ending[:, width:] = False
        penalties = torch.zeros_like(best)
        if options.coverage_penalty:
            covered = weights.double() if covered is None else covered + weights
            shares = covered[..., : absent.shape[1]].clamp(TOUCHED, 1.0).log().masked_fill(absent[:, None], 0.0)
            penalties = (options.coverage_penalty * shares.sum(dim=-1)).gather(1, origins)
        values = options.normalized(best, length + 1) + penalties
        at, rank = ending.nonzero(as_tuple=True)
        columns = (numbers[at], written[at, origins[at, rank]], sums[at, rank], values[at, rank])
        for number, path, total, value in zip(*(column.tolist() for column in columns), strict=True):
            found[number].append(Generated(path, total, value))
        # Those that go on, in their order.
        going = ends.int().argsort(dim=1, stable=True)[:, :width]
        scores = best.masked_fill(ends, float("-inf")).gather(1, going)
        own = sums.masked_fill(ends, float("-inf")).gather(1, going)
        origins, labels = origins.gather(1, going), labels.gather(1, going)
        written = torch.cat([written.gather(1, origins[..., None].expand(-1, -1, length)), labels[..., None]], dim=-1)
        if covered is not None:
            covered = covered.gather(1, origins[..., None].expand(-1, -1, covered.shape[-1]))
        # The most that any of them can become: what follows can only lower its probability, and add bonuses. What is
        # below 0 the longest answer divides by most, and what is above the shortest by least.
        best = scores[:, 0]
        if scored is not None:
            best = best + ((limits - length).clamp(min=1) * scored.max_gain).clamp(max=MAX_HOPE)
        longest = torch.maximum(limits, torch.tensor(length + 1, device=device)) + 1
        hopes = torch.maximum(options.normalized(best, longest), options.normalized(best, length + 2))
        going_on = torch.tensor(
            [
                is_hopeful(found[number], hope, options.n_best)
                for number, hope in zip(numbers.tolist(), hopes.tolist(), strict=True)
            ],
            device=device,
            dtype=torch.bool,
        )
        kept = going_on.nonzero()[:, 0]
        places = (kept[:, None] * hypotheses + origins[kept]).flatten()
        continuation.choose(kept, places)
        for each in (prefixes, scored):
            if each is not None:
                each.choose(kept, places, labels[kept].flatten().clamp(max=end - 1) + 1)
        numbers, limits, absent = numbers[kept], limits[kept], absent[kept]
        written, own, last = written[kept], own[kept], labels[kept].flatten()
        covered = covered[kept] if covered is not None else None
    return [best_of(each, options.n_best) for each in found]


def _likeliest(allowed: Tensor, count: int, end: int, scored: ScoredPrefixes | None) -> tuple[Tensor, Tensor]:
    """Log-probabilities (but for the normaliser) of each hypothesis' likeliest labels, hot words counted, and these.

    The end comes behind them, and once: CTC and language models may be surer of it. Both ``[B · W, K]``.
    """
    hoped, hot = allowed, scored.hot_gains() if scored is not None else None
    if hot is not None:
        hoped = allowed.clone()
        hoped[:, :end] += hot[:, 1:].to(allowed)
    _, following = largest(hoped, min(count, allowed.shape[1]))
    likely = allowed.gather(1, following).masked_fill(following == end, float("-inf"))
    following = torch.cat([following, torch.full_like(following[:, :1], end)], dim=1)
    return torch.cat([likely, allowed[:, end : end + 1]], dim=1), following
