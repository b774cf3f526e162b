"""What a language model says of labels that a search has found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.language_model import LanguageModel
from seqpipe.decoding.prefix_scorer import NO_UNIT, PrefixScorer

Numbers = NDArray[np.int64]


def language_scores(scorer: PrefixScorer, labels: Sequence[Sequence[int]]) -> list[tuple[float, ...]] | None:
    """The log-probability of each label behind those before it, in nats, without weight; None without a language model.

    Of a model over words, a word's stands at its last label, and 0 at all others.

    Args:
        scorer: of the search.
        labels: of each row, in 1 to V - 1.
    """
    if scorer.model is None:
        return None
    lengths = np.array([len(row) for row in labels], np.int64)
    real = np.arange(lengths.max(initial=0)) < lengths[:, None]  # [B, L]
    given = np.zeros(real.shape, np.int64)
    given[real] = [label for row in labels for label in row]
    units = scorer.units
    spoken = np.where(real, units[given], NO_UNIT) if units is not None else _words(scorer, given, real)
    scores = _scores(scorer.model, spoken).tolist()
    return [tuple(row[: len(own)]) for row, own in zip(scores, labels, strict=True)]


def _words(scorer: PrefixScorer, given: Numbers, real: NDArray[np.bool_]) -> Numbers:
    """The model's number of each word at its last label, `NO_UNIT` elsewhere, ``[B, L]``."""
    words, spacing = scorer.words, scorer.spacing
    if words is None or words.units is None or spacing is None:
        raise ValueError("a language model over words needs words")
    units = np.append(words.units, -1)[np.concatenate([[-1], words.trie.word])]  # by node, from -1 on
    begins, is_bare = spacing.begins[given], spacing.is_bare[given]
    is_last = real & ~is_bare
    is_last[:, :-1] &= ~real[:, 1:] | begins[:, 1:]
    node = np.zeros(len(given), np.int64)
    spoken = np.full_like(given, NO_UNIT)
    for at in range(given.shape[1]):
        node = words.trie.step(np.where(begins[:, at], 0, node), given[:, at])
        # A space by itself is no word, but a spelling may begin with one.
        node = np.where(is_bare[:, at] & (node < 0), 0, node)
        spoken[:, at] = np.where(is_last[:, at], units[node + 1], NO_UNIT)
    return spoken


def _scores(model: LanguageModel, spoken: Numbers) -> NDArray[np.float64]:
    """Of each unit behind those before it, ``[B, L]`` float64; 0 of `NO_UNIT`."""
    found = np.zeros(spoken.shape)
    state = tuple(part.copy() for part in model.initial_state(len(spoken)))
    for at in range(spoken.shape[1]):
        rows = np.flatnonzero(spoken[:, at] != NO_UNIT)
        if not len(rows):
            continue
        own, units = tuple(part[rows] for part in state), spoken[rows, at]
        found[rows, at] = model.scores_of(own, units)
        for part, new in zip(state, model.advance(own, units), strict=True):
            part[rows] = new
    return found
