"""Perplexity and token accuracy of a run on labelled rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqpipe.core.head import Autoregressive
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.metrics.teacher_forcing import TeacherForcedScores
from seqpipe.pipeline import Pipeline

ROWS, STEPS = 64, 14_000
"""Of a batch: rows, and padded steps as prediction has them."""


def teacher_forced_scores(pipeline: Pipeline, rows: Sequence[Row]) -> TeacherForcedScores | None:
    """Of the targets, each label given those before it; None of a head that isn't autoregressive.

    Targets that the vocabulary can't spell, and inputs that are answered in parts, are left out.
    """
    head = pipeline.head
    if not isinstance(head, Autoregressive):
        return None  # before all inputs are measured for nothing
    known: list[tuple[Row, Tensor]] = []
    lengths: list[int] = []
    for row in rows:
        try:
            target = pipeline.head.encode_target(row.target)
            lengths.append(pipeline.features.length(row.input))
        except InputError:
            continue
        known.append((row, target))
    steps = pipeline.features.output_lengths(torch.tensor(lengths, dtype=torch.int64)).tolist()
    sums = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode():
        for places in plan_batches(steps, budget=STEPS, max_rows=ROWS):
            part = [known[place] for place in places]
            batch = PaddedSequence.pad([pipeline.features.prepare(row.input, None) for row, _ in part])
            sums += head.teacher_forced_scores(pipeline(batch.to(pipeline.device)), [target for _, target in part])
    return TeacherForcedScores(*sums.tolist()) if sums[2] else None
