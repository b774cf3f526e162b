"""Where the labels that a search has found stand in emissions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqpipe.core.sequence import PaddedSequence
from seqpipe.decoding.ctc_alignment import align_rows
from seqpipe.decoding.ctc_hypothesis import CTCHypothesis
from seqpipe.decoding.temperature import tempered


def align_labels(
    emissions: PaddedSequence, labels: Sequence[Sequence[int]], temperature: float = 1.0
) -> list[CTCHypothesis]:
    """Each row's labels with the steps that they have in their likeliest alignment (`align_rows`).

    Args:
        emissions: log-probabilities ``[B, T, V]``; label 0 is the blank.
        labels: of each row; they fit into its steps.
        temperature: of the posteriors; places don't depend on it.
    """
    rows = [row.detach().cpu() for row in emissions.rows()]
    filled = [place for place, own in enumerate(labels) if own]
    found = [CTCHypothesis((), (), (), ())] * len(rows)
    paths = align_rows([rows[place].numpy() for place in filled], [labels[place] for place in filled])
    for place, path in zip(filled, paths, strict=True):
        own = np.asarray(labels[place], dtype=np.int64)
        counts = path.stops - path.starts
        before = counts.cumsum() - counts
        steps = np.arange(counts.sum()) + np.repeat(path.starts - before, counts)
        chances = np.exp(tempered(rows[place].double(), temperature).numpy()[steps, np.repeat(own, counts)])
        means = np.minimum(np.add.reduceat(chances, before) / counts, 1.0)
        found[place] = CTCHypothesis(
            tuple(own.tolist()), tuple(path.starts.tolist()), tuple(path.stops.tolist()), tuple(means.tolist())
        )
    return found
