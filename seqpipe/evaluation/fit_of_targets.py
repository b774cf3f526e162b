"""Perplexity and token accuracy of a run on labelled rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.heads.target_fit import TargetFit
from seqpipe.pipeline import Pipeline
from seqpipe.sequence import PaddedSequence
from seqpipe.stage import Stage

ROWS = 64
"""Of a batch."""


def fit_of_targets(pipeline: Pipeline, rows: Sequence[Row]) -> TargetFit | None:
    """How well the targets are foretold; None of a head that doesn't write label by label.

    Targets that the vocabulary can't spell are left out.
    """
    if type(pipeline.head).target_fit is Stage.target_fit:
        return None  # before all inputs are measured for nothing
    known: list[tuple[int, Row, Tensor]] = []
    for row in rows:
        try:
            known.append((pipeline.features.measure(row.input), row, pipeline.head.encode_target(row.target)))
        except InputError:
            continue
    known.sort(key=lambda item: item[0])
    sums = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode():
        for begin in range(0, len(known), ROWS):
            part = known[begin : begin + ROWS]
            batch = PaddedSequence.pad([pipeline.features.prepare(row.input, None) for _, row, _ in part])
            found = pipeline.head.target_fit(pipeline(batch.to(pipeline.device)), [target for *_, target in part])
            if found is not None:
                sums += found.cpu()
    return TargetFit(*sums.tolist()) if sums[2] else None
