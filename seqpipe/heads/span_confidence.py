"""How probable it is that a span is just what was answered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqpipe.decoding.crf import log_partition
from seqpipe.decoding.spans import split_tag


def span_confidences(
    scores: Tensor,
    lengths: Tensor,
    spans: Sequence[Sequence[tuple[str, int, int]]],
    potentials: tuple[Tensor, Tensor, Tensor],
    tags: Sequence[str],
) -> list[list[float]]:
    """The probability of each span: all tag sequences that have it, with this type and these borders, over all.

    One further pass over the rows with spans, a span at a time: what contradicts the span is forbidden there.

    Args:
        scores: ``[B, T, K]``.
        lengths: ``[B]``.
        spans: of each row: type, first word, word behind the last.
        potentials: transitions ``[K, K]``, start and end ``[K]``.
        tags: K names, in BIO or BIOES.
    """
    every = [(row, span) for row, own in enumerate(spans) for span in own]
    if not every:
        return [[] for _ in spans]
    rows = torch.tensor([row for row, _ in every], device=scores.device)
    limited = scores.double()[rows]  # [spans, T, K]
    parts = [split_tag(tag) for tag in tags]
    for own, (_, (kind, first, stop)) in zip(limited, every, strict=True):
        ending = ("E", "S") if any(prefix in ("E", "S") for prefix, _ in parts) else ("B", "I")
        for place in range(first, stop):
            begins, ends = place == first, place == stop - 1
            wanted = ("S",) if begins and ends and ending == ("E", "S") else ("B",) if begins else ("I",)
            if ends and not begins and ending == ("E", "S"):
                wanted = ("E",)
            forbidden = [number for number, part in enumerate(parts) if part != (wanted[0], kind)]
            own[place, forbidden] = float("-inf")
        if ending == ("B", "I") and stop < len(own):
            longer = [number for number, part in enumerate(parts) if part == ("I", kind)]
            own[stop, longer] = float("-inf")  # else the span goes on
    whole = log_partition(scores, lengths, *potentials)[rows]
    shares = (log_partition(limited, lengths[rows], *potentials) - whole).exp().clamp(max=1.0).tolist()
    found: list[list[float]] = [[] for _ in spans]
    for (row, _), share in zip(every, shares, strict=True):
        found[row].append(share)
    return found
