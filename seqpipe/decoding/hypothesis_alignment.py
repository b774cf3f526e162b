"""Where the labels that a search has found stand in emissions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.ctc_alignment import align_rows
from seqpipe.decoding.ctc_hypothesis import CTCHypothesis


def align_labels(
    rows: Sequence[NDArray[np.floating]],
    labels: Sequence[Sequence[int]],
    told: Sequence[NDArray[np.float64]] | None = None,
) -> list[CTCHypothesis]:
    """Each row's labels with the steps that they have in their likeliest alignment (`align_rows`).

    Args:
        rows: log-probabilities ``[T_i, V]`` of each; label 0 is the blank.
        labels: of each row; they fit into its steps.
        told: log-probabilities that posteriors are told by, at another temperature, say; places don't depend on them.
    """
    filled = [place for place, own in enumerate(labels) if own]
    found = [CTCHypothesis((), (), (), ())] * len(rows)
    paths = align_rows([rows[place] for place in filled], [labels[place] for place in filled])
    for place, path in zip(filled, paths, strict=True):
        own = np.asarray(labels[place], dtype=np.int64)
        counts = path.stops - path.starts
        before = counts.cumsum() - counts
        steps = np.arange(counts.sum()) + np.repeat(path.starts - before, counts)
        chances = np.exp((told if told is not None else rows)[place][steps, np.repeat(own, counts)].astype(np.float64))
        means = np.minimum(np.add.reduceat(chances, before) / counts, 1.0)
        found[place] = CTCHypothesis(
            tuple(own.tolist()), tuple(path.starts.tolist()), tuple(path.stops.tolist()), tuple(means.tolist())
        )
    return found
