"""The temperature at which targets are most probable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.core.head import Tempered
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.pipeline import Pipeline

TRIED = tuple(2.0 ** (step / 4) for step in range(-8, 17))
"""1/4 to 16; between them a parabola finds the best."""
GRID = 16
"""Temperatures are rounded to so many an octave, 4 % apart, so that folds share theirs and their answers."""
ROWS, STEPS = 64, 14_000
"""Of a batch: rows, and padded steps as prediction has them."""


def target_likelihoods(pipeline: Pipeline, rows: Sequence[Row]) -> NDArray[np.float64]:
    """ln of the probability of each row's target at each of the temperatures `TRIED`, ``[N, G]``.

    NaN of a target that the model can't answer; -inf of one that is impossible, such as one too long for its input.
    """
    head = pipeline.head
    if not isinstance(head, Tempered):
        raise TypeError(f"{type(head).__name__} has no temperature")
    found = np.full((len(rows), len(TRIED)), np.nan)
    known: list[tuple[int, Tensor]] = []
    lengths: list[int] = []
    for position, row in enumerate(rows):
        try:
            target = pipeline.head.encode_target(row.target)
            lengths.append(pipeline.features.length(row.input))
        except InputError:
            continue
        known.append((position, target))
    steps = pipeline.features.output_lengths(torch.tensor(lengths, dtype=torch.int64)).tolist()
    with torch.inference_mode():
        for places in plan_batches(steps, budget=STEPS, max_rows=ROWS):
            part = [known[place] for place in places]
            batch = PaddedSequence.pad([pipeline.features.prepare(rows[at].input, None) for at, _ in part])
            encoded = pipeline(batch.to(pipeline.device))
            told = head.target_log_probabilities(encoded, [target for _, target in part], TRIED)
            found[[at for at, _ in part]] = told.cpu().numpy().T
    return found


def best_temperature(likelihoods: NDArray[np.float64]) -> float:
    """The temperature that makes targets most probable together (Guo et al. 2017), on a grid that has 1 in it.

    Args:
        likelihoods: of some rows, ``[N, G]``; rows without finite ones say nothing. 1 without any.
    """
    usable = likelihoods[np.isfinite(likelihoods).all(axis=1)]
    if not len(usable):
        return 1.0
    losses = -usable.sum(axis=0)
    place = int(losses.argmin())
    exponent = float(np.log2(TRIED[place]))
    if 0 < place < len(TRIED) - 1:
        left, middle, right = losses[place - 1 : place + 2]
        bend = left - 2 * middle + right
        exponent += 0.25 * 0.5 * (left - right) / bend if bend > 0 else 0.0
    return float(2.0 ** (round(GRID * exponent) / GRID))
