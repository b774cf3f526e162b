"""One label after the other: the likeliest, or one that is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from seqpipe.core.randomness import RowKey
from seqpipe.decoding.generated import Generated
from seqpipe.decoding.generation import Continuation, GenerationDecoding, restrained


def key_of(values: Tensor) -> int:
    """A number of 64 bits that equal tensors have in common, and others hardly ever."""
    found = values.detach().cpu().contiguous()
    digest = hashlib.blake2b(repr((found.dtype, tuple(found.shape))).encode(), digest_size=8)
    digest.update(found.flatten().view(torch.uint8).numpy().tobytes())
    return int.from_bytes(digest.digest(), "little")


def write_on(
    continuation: Continuation, steps: Tensor, end: int, options: GenerationDecoding, keys: Sequence[int] = ()
) -> list[list[Generated]]:
    """A hypothesis of each row (``greedy``), or ``n_best`` drawn ones (``sample``), best first.

    What is drawn depends on seed, key of the row, sample and step, so that an answer doesn't depend on who else is in
    the batch. A row that has ended is not computed any further.

    Args:
        continuation: what may come next.
        steps: encoded steps of each row, ``[B]``.
        end: the label that ends an answer.
        options: of sampling, and limits.
        keys: of the rows, 0 to 2^64 - 1: rows of different keys are drawn independently of each other, those of the
            same key alike. All are 0 if none are given.
    """
    rows, device = continuation.rows, steps.device
    samples = options.n_best if options.method == "sample" else 1
    numbers = torch.arange(rows, device=device).repeat_interleave(samples)
    if samples > 1:
        continuation.choose(numbers, numbers)
    own = list(keys) or [0] * rows
    streams = torch.arange(samples, device=device).repeat(rows)
    limits = options.length_limits(steps)[numbers]
    written = torch.empty(len(numbers), 0, dtype=torch.int64, device=device)
    totals = torch.zeros(len(numbers), dtype=torch.float64, device=device)
    last = torch.full_like(numbers, end)
    found: list[list[Generated]] = [[] for _ in range(rows)]
    while len(numbers):
        length = written.shape[1]
        logits, normalizer, _ = continuation.step(last)
        allowed = restrained(logits, written, end=end, at_limit=length >= limits, options=options)
        if options.method == "sample":
            allowed = filtered(allowed.double() / options.temperature, options.top_k, options.top_p)
            each = zip(numbers.tolist(), streams.tolist(), strict=True)
            draws = (RowKey(options.seed, epoch=length, row=sample, stream=own[number]) for number, sample in each)
            uniforms = [key.generator().random() for key in draws]
            last = drawn(allowed, torch.tensor(uniforms, dtype=torch.float64, device=device))
        else:
            last = allowed.argmax(dim=1)
        totals = totals + logits.gather(1, last[:, None])[:, 0].double() - normalizer.double()
        values = options.normalized(totals, length + 1)
        ended = last == end
        for place in ended.nonzero()[:, 0].tolist():
            text = written[place].tolist()
            found[numbers[place]].append(Generated(text, float(totals[place]), float(values[place])))
        kept = (~ended).nonzero()[:, 0]
        if len(kept) < len(numbers):
            continuation.choose(kept, kept)
        written = torch.cat([written, last[:, None]], dim=1)[kept]
        numbers, streams, limits, totals, last = (part[kept] for part in (numbers, streams, limits, totals, last))
    return [sorted(each, key=lambda item: -item.score) for each in found]


def filtered(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Without the labels that are left out (Fan et al. 2018; Holtzman et al. 2020).

    Args:
        logits: ``[N, V]``.
        top_k: so many of the likeliest stay, and those as likely as the last of them; 0: all.
        top_p: the likeliest that have this probability together stay, above 0 and at most 1.
    """
    size = logits.shape[1]
    if top_k and top_k < size:
        least = logits.topk(top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if top_p < 1:
        falling, order = logits.softmax(dim=1).sort(dim=1, descending=True, stable=True)
        before = falling.cumsum(dim=1) - falling  # the likeliest one always stays
        outside = torch.zeros_like(before, dtype=torch.bool).scatter(1, order, before >= top_p)
        logits = logits.masked_fill(outside, float("-inf"))
    return logits


def drawn(logits: Tensor, uniform: Tensor) -> Tensor:
    """The label of each row ``[N, V]`` at which the sum of probabilities passes a number of 0 to below 1, ``[N]``."""
    sums = logits.softmax(dim=1).cumsum(dim=1)
    total = sums[:, -1]
    # Rounding must not lead behind the last label that is possible.
    sought = torch.minimum(uniform * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(sums, sought[:, None], right=True)[:, 0]
