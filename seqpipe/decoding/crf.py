"""Linear-chain conditional random fields: losses, posteriors and best paths (Lafferty et al. 2001).

Functions over emission scores ``[B, T, K]`` (of any floating-point type), the lengths ``[B]`` of the rows, the
transitions ``[K, K]`` (from, to) and the scores ``[K]`` of a start with, and an end with, each tag. What a sequence
must not do is -inf in these (``tag_schemes``). A row of no steps has one path, of score 0.

Computed in float64 throughout: rows of a batch don't depend on one another, nor on what stands in the padding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqpipe.decoding.crf_messages import BackwardMessages, Chain, chain, one_thread
from seqpipe.errors import ConfigError, InputError


def log_partition(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """ln Z, the logarithm of the sum of exp(score) over all paths of each row: ``[B]``, differentiable."""
    return PathSums.apply(emissions, transitions, start, end, lengths, None, None)


def crf_losses(
    emissions: Tensor,
    lengths: Tensor,
    tags: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    class_weights: Tensor | None = None,
) -> Tensor:
    """-ln p(tags | emissions) of each row, ``[B]``; differentiable in emissions, transitions, start and end, once.

    The likelihood is a product over the steps, by the chain rule: p(y | x) = prod_t p(y_t | y_{t-1}, x). With class
    weights each term counts by the weight of its tag, ``-sum_t w(y_t) ln p(y_t | y_{t-1}, x)``: the conditional
    probabilities are exact (all that follows is summed over), and with weights of 1 it is the likelihood itself.

    Args:
        emissions: ``[B, T, K]``.
        lengths: ``[B]``, steps that are real.
        tags: ``[B, T]`` int64, the right ones; in the padding anything.
        transitions: ``[K, K]``, from the first to the second.
        start: ``[K]``.
        end: ``[K]``.
        class_weights: ``[K]``, of each tag; 1 where not given. Not differentiated.

    Raises:
        InputError: a number is no tag, or the tags of a row break a constraint; the message says where.
    """
    path = padded_tags(tags, lengths, transitions.shape[0])
    return PathSums.apply(emissions, transitions, start, end, lengths, path, class_weights)


def marginals(emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """p(y_t = k | x), the posterior of each tag at each step: ``[B, T, K]`` float64, 0 in the padding."""
    messages = BackwardMessages(chain(emissions, lengths, transitions, start, end))
    incoming, _ = messages.flow(torch.ones_like(messages.log_totals))
    return incoming[..., :-1].transpose(0, 1).clamp(max=1.0)


def path_posteriors(
    emissions: Tensor, lengths: Tensor, tags: Tensor, transitions: Tensor, start: Tensor, end: Tensor
) -> Tensor:
    """p(tags | x) = exp(score - ln Z) of each row, ``[B]`` float64; 0 where a constraint forbids them."""
    return log_path_posteriors(emissions, lengths, tags, transitions, start, end).exp()


def log_path_posteriors(
    emissions: Tensor, lengths: Tensor, tags: Tensor, transitions: Tensor, start: Tensor, end: Tensor
) -> Tensor:
    """ln p(tags | x) = score - ln Z of each row, ``[B]`` float64; -inf where a constraint forbids them."""
    potentials = chain(emissions, lengths, transitions, start, end)
    path = padded_tags(tags, lengths, transitions.shape[0])
    scores = chain_scores(potentials, path).sum(dim=0)
    return (scores - BackwardMessages(potentials).log_totals).clamp(max=0.0)


def viterbi(
    emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor
) -> tuple[Tensor, Tensor]:
    """The best path of each row: its tags ``[B, T]`` int64 (0 in the padding) and its score ``[B]`` float64.

    Of equal paths, the one whose last differing tag has the lower number. Where the constraints forbid every path the
    score is -inf and the tags mean nothing.
    """
    potentials = chain(emissions, lengths, transitions, start, end)
    steps, rows, size = potentials.scores.shape
    # The tag that each step came from is sought on the way back only, for one tag a row instead of all.
    ahead = torch.empty_like(potentials.scores)
    current = potentials.first + potentials.scores[0]
    sums = ahead.new_empty(size, rows, size)  # [from, B, to]: the maximum over whole rows is vectorised
    backward = potentials.pairs.t().contiguous()
    path = torch.empty(steps, rows, dtype=torch.int64, device=emissions.device)
    with one_thread(emissions.device):
        for step in range(1, steps):
            ahead[step - 1] = current
            torch.add(current.t()[:, :, None], potentials.pairs[:, None, :], out=sums)
            torch.add(sums.amax(dim=0), potentials.scores[step], out=current)
        best, tag = (current + potentials.pairs[:, -1]).max(dim=-1)
        path[-1] = tag
        for step in range(steps - 2, -1, -1):
            tag = (ahead[step] + backward[tag]).argmax(dim=-1)
            path[step] = tag
    return path.t().masked_fill(path.t() == size - 1, 0), best


def n_best(
    emissions: Tensor, lengths: Tensor, transitions: Tensor, start: Tensor, end: Tensor, n: int
) -> list[list[tuple[list[int], float]]]:
    """The n best paths of each row with their scores, best first; fewer where a row has fewer allowed paths.

    Exact: each tag at each step keeps its n best histories (Schwartz & Chow 1990). The first is that of ``viterbi``.

    Raises:
        ConfigError: n is below 1.
    """
    if n < 1:
        raise ConfigError(f"n is {n}; ask for at least 1 path")
    potentials = chain(emissions, lengths, transitions, start, end)
    steps, rows, size = potentials.scores.shape
    current = (potentials.first + potentials.scores[0])[..., None]  # [B, S, kept]
    origins: list[Tensor] = []  # of steps 1 to T: [B, S, kept] numbers of (tag, place) at the step before, joined
    places: list[int] = []
    for step in range(1, steps + 1):
        kept = current.shape[-1]
        sums = current[..., None] + potentials.pairs[:, None, :]  # [B, from, kept, to]
        sums = sums.flatten(1, 2).transpose(1, 2)  # [B, to, from * kept]
        # Among equals the first has to be that of viterbi's argmax: topk promises no order
        values, order = sums.max(dim=-1, keepdim=True)
        if n > 1:
            others = sums.scatter(-1, order, -torch.inf).topk(min(n, sums.shape[-1]) - 1, dim=-1)
            values, order = torch.cat([values, others.values], dim=-1), torch.cat([order, others.indices], dim=-1)
        current = values
        if step < steps:
            current = current + potentials.scores[step][..., None]
        origins.append(order)
        places.append(kept)
    scores = current[:, -1]  # [B, kept]: all paths end in the tag of the padding
    tag = torch.full_like(scores, size - 1, dtype=torch.int64)
    place = torch.arange(scores.shape[-1], device=scores.device).expand(rows, -1)
    path = []
    batch = torch.arange(rows, device=scores.device)[:, None]
    for origin, kept in zip(reversed(origins), reversed(places), strict=True):
        number = origin[batch, tag, place]
        tag, place = number // kept, number % kept
        path.append(tag)
    paths = torch.stack(path[::-1], dim=-1).tolist()  # [B, kept, T]
    return [
        [(tags[:length], score) for tags, score in zip(*row, strict=True) if score > -torch.inf]
        for length, *row in zip(lengths.tolist(), paths, scores.tolist(), strict=True)
    ]


class PathSums(torch.autograd.Function):
    """ln Z, or the loss of given tags, whose gradients are expectations instead of a walk back through the loop."""

    @staticmethod
    def forward(
        ctx: Any,
        emissions: Tensor,
        transitions: Tensor,
        start: Tensor,
        end: Tensor,
        lengths: Tensor,
        path: Tensor | None,
        class_weights: Tensor | None,
    ) -> Tensor:
        """``[B]``; ``path`` is ``[T, B]`` of ``padded_tags``."""
        potentials = chain(emissions, lengths, transitions, start, end)
        if path is not None:
            terms = chain_scores(potentials, path)  # [T, B]
            refuse_forbidden(terms, potentials, path)
        messages = BackwardMessages(potentials)
        ctx.messages, ctx.path, ctx.weights = messages, path, None
        ctx.kinds = [part.dtype for part in (emissions, transitions, start, end)]
        if path is None:
            results = messages.log_totals
        elif class_weights is None:
            results = messages.log_totals - terms.sum(dim=0)
        else:
            # ln p(y_t | y_{t-1}) = score + ln beta_t(y_t) - ln beta_{t-1}(y_{t-1}); the padding costs nothing
            one = class_weights.new_ones(1)
            ctx.weights = torch.cat([class_weights, one]).to(terms)[path]
            betas = messages.log_betas(path)
            before = torch.cat([messages.log_totals[None], betas[:-1]])
            terms[-1] -= potentials.pairs[path[-1], -1]  # the end is no tag's
            results = (ctx.weights * (before - betas - terms)).sum(dim=0)
        return results.to(torch.promote_types(emissions.dtype, torch.float32))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the scores: posteriors, less the given tags."""
        messages, path = ctx.messages, ctx.path
        gradients = gradients.double()  # [B]
        if ctx.weights is None:
            incoming, passed = messages.flow(gradients)
        else:
            shares = gradients * ctx.weights  # [T, B]
            added = torch.cat([shares[1:], gradients[None]]) - shares
            incoming, passed = messages.flow(shares[0], path, added)
        if path is not None:
            shares = gradients.expand(path.shape) if ctx.weights is None else shares
            incoming.scatter_add_(-1, path[..., None], -shares[..., None])
            passed -= pair_sums(path, shares, gradients, passed.shape[0])
        parts = (incoming[..., :-1].transpose(0, 1), passed[:-1, :-1], incoming[0, :, :-1].sum(dim=0), passed[:-1, -1])
        return (*(part.to(kind) for part, kind in zip(parts, ctx.kinds, strict=True)), None, None, None)


def padded_tags(tags: Tensor, lengths: Tensor, known: int) -> Tensor:
    """``[B, T]`` tags time-major, ``[T, B]``, with the number of the padding's tag in the padding."""
    tags, lengths = tags.t(), lengths.to(tags.device)
    real = torch.arange(len(tags), device=tags.device)[:, None] < lengths
    wrong = real & ((tags < 0) | (tags >= known))
    if bool(wrong.any()):
        row, step = wrong.t().nonzero()[0].tolist()
        raise InputError(
            "bad value", f"row {row} of the batch, step {step}: {int(tags[step, row])} is no tag (0 to {known - 1})"
        )
    return tags.masked_fill(~real, known)


def chain_scores(potentials: Chain, path: Tensor) -> Tensor:
    """What each step of a path adds to its score, ``[T, B]``: emission and transition, with the end in the last."""
    terms = potentials.scores.gather(-1, path[..., None]).squeeze(-1)
    terms[0] += potentials.first[path[0]]
    terms[1:] += potentials.pairs[path[:-1], path[1:]]
    terms[-1] += potentials.pairs[path[-1], -1]
    return terms


def pair_sums(path: Tensor, shares: Tensor, lasts: Tensor, size: int) -> Tensor:
    """How often each tag follows each, ``[S, S]``, a step counted by its share and the end by ``lasts`` ``[B]``."""
    numbers = torch.cat([path[:-1] * size + path[1:], path[-1:] * size + size - 1]).flatten()
    weights = torch.cat([shares[1:], lasts[None]]).flatten()
    if path.device.type == "cpu":
        return torch.bincount(numbers, weights, minlength=size * size).view(size, size)
    # sums in a fixed order there, which bincount doesn't
    return weights.new_zeros(size * size).index_put_((numbers,), weights, accumulate=True).view(size, size)


def refuse_forbidden(terms: Tensor, potentials: Chain, path: Tensor) -> None:
    """Raise InputError where a path breaks a constraint: its loss would be infinite."""
    forbidden = terms == -torch.inf
    if not bool(forbidden.any()):
        return
    row, step = forbidden.t().nonzero()[0].tolist()
    if step == int(potentials.lengths[row]):  # the padding begins: the transition into it is the end
        step -= 1
    tag = int(path[step, row])
    if potentials.scores[step, row, tag] == -torch.inf:
        what = f"the emission of tag {tag} is -inf"
    elif step == 0 and potentials.first[tag] == -torch.inf:
        what = f"no sequence starts with tag {tag}"
    elif step > 0 and potentials.pairs[path[step - 1, row], tag] == -torch.inf:
        what = f"tag {tag} doesn't follow tag {int(path[step - 1, row])}"
    else:
        what = f"no sequence ends with tag {tag}"
    where = f"row {row} of the batch, step {step}"
    raise InputError("bad value", f"{where}: the right tags break a constraint of the tag scheme: {what}")
