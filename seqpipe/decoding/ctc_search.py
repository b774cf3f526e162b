"""The best texts of rows by CTC: found, placed, and told how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_hypothesis import CTCHypothesis
from seqpipe.decoding.hypothesis_alignment import align_labels
from seqpipe.decoding.language_scores import language_scores
from seqpipe.decoding.prefix_scorer import PrefixScorer
from seqpipe.decoding.prefix_search import SearchLimits, prefix_search

Labels = tuple[int, ...]


class RankedTexts(NamedTuple):
    """What a search has found for a row.

    Attributes:
        path: the best labels, where they stand.
        confidence: their posterior probability.
        ranked: the best label sequences, this one first, each with its posterior and what it was compared by.
        language_scores: of the best labels, each; see `seqpipe.decoding.language_scores`.
    """

    path: CTCHypothesis
    confidence: float
    ranked: tuple[tuple[Labels, float, float], ...]
    language_scores: tuple[float, ...] | None


def ranked_texts(
    rows: Sequence[NDArray[np.floating]],
    limits: SearchLimits,
    scorer: PrefixScorer,
    posteriors: Callable[[Sequence[int], Sequence[Labels]], Sequence[float]],
    told: Sequence[NDArray[np.float64]] | None = None,
) -> list[RankedTexts]:
    """The best label sequences of each row.

    Args:
        rows: log-probabilities ``[T_i, V]`` of each; label 0 is the blank.
        limits: of the search.
        scorer: what is added to prefixes.
        posteriors: of label sequences, each given the row whose number stands in the same place.
        told: see `align_labels`.
    """
    found = prefix_search(rows, limits, scorer)
    best = [row[0].labels for row in found]
    paths = align_labels(rows, best, told)
    scores = language_scores(scorer, best)
    spoken: Sequence[tuple[float, ...] | None] = scores if scores is not None else [None] * len(found)
    owners = [row for row, hypotheses in enumerate(found) for _ in hypotheses]
    shares = iter(posteriors(owners, [hypothesis.labels for hypotheses in found for hypothesis in hypotheses]))
    ranked = [tuple((each.labels, next(shares), each.score) for each in hypotheses) for hypotheses in found]
    return [RankedTexts(path, row[0][1], row, own) for path, row, own in zip(paths, ranked, spoken, strict=True)]
