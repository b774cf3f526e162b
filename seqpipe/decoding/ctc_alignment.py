"""Where labels stand in emissions: the likeliest alignment of given labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqpipe.core.sequence import PaddedSequence, length_mask
from seqpipe.decoding.ctc import BLANK, CTCHypothesis
from seqpipe.decoding.steady import steady

NEVER = float("-inf")


def align_labels(emissions: PaddedSequence, labels: Sequence[Sequence[int]]) -> list[CTCHypothesis]:
    """Each row's labels with the steps that they have in their likeliest alignment (Viterbi), all rows at a time.

    Where two alignments are equally likely, labels stand as late as they can.

    Args:
        emissions: log-probabilities ``[B, T, V]``; label 0 is the blank.
        labels: of each row; they fit into its steps.
    """
    values, lengths = emissions.values.detach().cpu(), emissions.lengths.cpu()
    count = torch.tensor([len(row) for row in labels])
    most = int(count.max()) if len(labels) else 0
    if not most:
        return [CTCHypothesis((), (), (), ()) for _ in labels]
    targets = torch.zeros(len(labels), most, dtype=torch.int64)
    for place, row in enumerate(labels):
        targets[place, : len(row)] = torch.tensor(row, dtype=torch.int64)
    states = _best_states(values, lengths, targets, count)
    # Of each label: its first step, how many steps, and the mean of its probability over these.
    own = ((states % 2 == 1) & length_mask(lengths, values.shape[1])).nonzero(as_tuple=True)
    which = own[0] * most + states[own] // 2
    chances = steady(torch.exp, values[own[0], own[1], targets.flatten()[which]].double())
    size = len(labels) * most
    steps = torch.bincount(which, minlength=size)
    starts = torch.full((size,), values.shape[1]).scatter_reduce(0, which, own[1], "amin")
    means = torch.zeros(size, dtype=torch.float64).index_add(0, which, chances) / steps
    table = zip(*(item.view(-1, most).tolist() for item in (starts, starts + steps, means.clamp(max=1.0))), strict=True)
    return [
        CTCHypothesis(tuple(row), *(tuple(column[: len(row)]) for column in columns))
        for row, columns in zip(labels, table, strict=True)
    ]


def _best_states(values: Tensor, lengths: Tensor, targets: Tensor, count: Tensor) -> Tensor:
    """The state of each step, ``[B, T]``: 2 i + 1 in label i, 2 i in the blank before it."""
    rows, time, _ = values.shape
    size = 2 * targets.shape[1] + 1
    states = torch.full((rows, size), BLANK)
    states[:, 1::2] = targets
    emitted = values.gather(2, states[:, None].expand(-1, time, -1))  # [B, T, S]
    skips = torch.zeros(rows, size, dtype=torch.bool)
    skips[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    barred = torch.where(skips, 0.0, NEVER)
    best = torch.full((rows, size), NEVER)
    best[:, :2] = emitted[:, 0, :2]
    moves = torch.zeros(rows, time, size, dtype=torch.int8)
    nothing = torch.full((rows, 2), NEVER)
    for step in range(1, time):
        before = torch.cat([nothing, best], dim=1)
        ways = torch.stack([best, before[:, 1:-1], before[:, :-2] + barred])  # stay, from one before, from two before
        most = ways.amax(dim=0)
        taken = torch.where(ways[0] == most, 0, torch.where(ways[1] == most, 1, 2)).to(torch.int8)
        goes_on = (step < lengths)[:, None]
        best = torch.where(goes_on, most + emitted[:, step], best)
        moves[:, step] = taken.masked_fill(~goes_on, 0)
    last = 2 * count[:, None]
    ends_in_label = best.gather(1, (last - 1).clamp(min=0)) > best.gather(1, last)
    state = torch.where(ends_in_label & (last > 0), last - 1, last)
    path = [state]
    for step in range(time - 1, 0, -1):
        state = state - moves[:, step].gather(1, state)
        path.append(state)
    return torch.cat(path[::-1], dim=1)
