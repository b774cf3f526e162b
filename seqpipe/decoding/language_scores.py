"""What a language model says of labels that a search has found."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seqpipe.core.language_model import LanguageModel
from seqpipe.decoding.prefix_scorer import NO_UNIT, PrefixScorer


def language_scores(scorer: PrefixScorer, labels: Sequence[Sequence[int]]) -> list[tuple[float, ...]] | None:
    """The log-probability of each label behind those before it, in nats, without weight; None without a language model.

    Of a model over words, a word's stands at its last label, and 0 at all others.

    Args:
        scorer: of the search.
        labels: of each row, in 1 to V - 1.
    """
    if scorer.model is None:
        return None
    given = pad_sequence([torch.tensor(row, dtype=torch.int64) for row in labels], batch_first=True)  # [B, L]
    real = torch.arange(given.shape[1]) < torch.tensor([[len(row)] for row in labels])
    if scorer.units is not None:
        spoken = scorer.units[given].masked_fill(~real, NO_UNIT)
    else:
        spoken = _words(scorer, given, real)
    scores = _scores(scorer.model, spoken).tolist()
    return [tuple(row[: len(own)]) for row, own in zip(scores, labels, strict=True)]


def _words(scorer: PrefixScorer, given: Tensor, real: Tensor) -> Tensor:
    """The model's number of each word at its last label, `NO_UNIT` elsewhere, ``[B, L]``."""
    words, spacing = scorer.words, scorer.spacing
    if words is None or words.units is None or spacing is None:
        raise ValueError("a language model over words needs words")
    behind = torch.cat([torch.tensor([-1]), words.trie.word])
    units = torch.cat([words.units, torch.tensor([-1])])[behind]  # by node, from -1 on
    begins, is_bare = spacing.begins[given], spacing.is_bare[given]
    is_last = real & ~is_bare
    is_last[:, :-1] &= ~real[:, 1:] | begins[:, 1:]
    node = torch.zeros(len(given), dtype=torch.int64)
    spoken = torch.full_like(given, NO_UNIT)
    for at in range(given.shape[1]):
        node = words.trie.step(node.masked_fill(begins[:, at], 0), given[:, at])
        # A space by itself is no word, but a spelling may begin with one.
        node = node.masked_fill(is_bare[:, at] & (node < 0), 0)
        spoken[:, at] = torch.where(is_last[:, at], units[node + 1], NO_UNIT)
    return spoken


def _scores(model: LanguageModel, spoken: Tensor) -> Tensor:
    """Of each unit behind those before it, ``[B, L]`` float64; 0 of `NO_UNIT`."""
    found = torch.zeros(spoken.shape, dtype=torch.float64)
    state = model.initial_state(len(spoken))
    for at in range(spoken.shape[1]):
        rows = (spoken[:, at] != NO_UNIT).nonzero()[:, 0]
        if not len(rows):
            continue
        own, units = tuple(part[rows] for part in state), spoken[rows, at]
        found[rows, at] = model.scores_of(own, units).double()
        moved = model.advance(own, units)
        state = tuple(part.index_copy(0, rows, new.to(part.dtype)) for part, new in zip(state, moved, strict=True))
    return found
