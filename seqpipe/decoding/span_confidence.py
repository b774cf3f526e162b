"""How probable it is that a span is just what was answered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from seqpipe.decoding.crf import padded_tags
from seqpipe.decoding.crf_messages import BackwardMessages, chain
from seqpipe.decoding.spans import split_tag


def span_confidences(
    scores: Tensor,
    lengths: Tensor,
    path: Tensor,
    spans: Sequence[Sequence[tuple[str, int, int]]],
    potentials: tuple[Tensor, Tensor, Tensor],
    tags: Sequence[str],
) -> list[list[float]]:
    """The probability of each span: all tag sequences that have it, with this type and these borders, over all.

    A tag depends on the one before it alone, given the input. So it is the posterior of the span's first tag, times the
    conditional probability of each further one, times that of no I- behind it (in BIOES the last tag says that itself).
    Time and memory grow with the words, whatever the number of spans.

    Args:
        scores: ``[B, T, K]``.
        lengths: ``[B]``.
        path: the answered tags, a valid sequence of the scheme, ``[B, T]``.
        spans: of each row, those of the path: type, first word, word behind the last.
        potentials: transitions ``[K, K]``, start and end ``[K]``.
        tags: K names, in BIO or BIOES.
    """
    every = [(row, kind, first, stop) for row, own in enumerate(spans) for kind, first, stop in own]
    if not every:
        return [[] for _ in spans]
    scores, path = F.pad(scores, (0, 0, 0, 1)), F.pad(path, (0, 1))  # a step behind the last word of every row
    linear = chain(scores, lengths, *potentials)
    messages = BackwardMessages(linear)
    posteriors, _ = messages.flow(torch.ones_like(messages.log_totals))  # [T, B, K + 1]
    numbers = padded_tags(path, lengths, len(tags))  # [T, B]
    betas = messages.log_betas(numbers)

    def moves(following: Tensor, log_betas: Tensor) -> Tensor:
        """ln of the conditional probabilities of tags ``[T - 1, B]`` behind those of the path."""
        emitted = linear.scores[1:].gather(-1, following[..., None])[..., 0]
        return linear.pairs[numbers[:-1], following] + emitted + log_betas - betas[:-1]

    # Of all words up to each one; 0 at the first.
    inside = torch.cat([torch.zeros_like(betas[:1]), moves(numbers[1:], betas[1:])]).cumsum(dim=0)
    rows, first, stop = torch.tensor([[span[0], *span[2:]] for span in every], device=path.device).unbind(dim=1)
    shares = posteriors[first, rows, numbers[first, rows]] * (inside[stop - 1, rows] - inside[first, rows]).exp()

    parts = [split_tag(tag) for tag in tags]
    if not any(prefix in ("E", "S") for prefix, _ in parts):
        continued = numbers.clone()
        goes_on = torch.zeros(len(every), dtype=torch.bool, device=path.device)
        for place, (row, kind, _, end) in enumerate(every):
            if ("I", kind) in parts and end < int(lengths[row]):
                continued[end, row] = parts.index(("I", kind))
                goes_on[place] = True
        longer = moves(continued[1:], messages.log_betas(continued)[1:])[stop - 1, rows]
        shares = torch.where(goes_on, shares * -torch.expm1(longer.clamp(max=0.0)), shares)
    found: list[list[float]] = [[] for _ in spans]
    for (row, *_), share in zip(every, shares.clamp(0.0, 1.0).tolist(), strict=True):
        found[row].append(share)
    return found
