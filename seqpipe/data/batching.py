"""Batches under a budget of padded steps, from rows of similar length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def plan_batches(
    lengths: Sequence[int],
    *,
    budget: int,
    max_rows: int,
    generator: np.random.Generator | None = None,
    jitter: float = 0.05,
    row_multiple: int = 1,
    targets: Sequence[int] = (),
    target_budget: int | None = None,
) -> list[list[int]]:
    """Cut rows into batches whose rows times longest length stays within the budget.

    With a budget of targets, rows times the longest target stay within that too: a decoder's memory grows with these.

    Args:
        lengths: steps of every row.
        budget: of padded steps; a row longer than this makes a batch of its own.
        max_rows: of a batch.
        generator: shuffles: lengths are jittered before sorting, so that neighbours change from epoch to epoch, and the
            batches come in drawn order. None sorts strictly, longest first, and draws nothing.
        jitter: largest relative change of a length before sorting.
        row_multiple: a batch that another row would overfill has a multiple of this many rows, if it has more.
        targets: steps of every row's target; none where no budget asks for them.
        target_budget: of padded steps of targets.

    Returns:
        Batches of row positions; every row is in exactly one.
    """
    sizes = np.asarray(lengths, dtype=np.float64)
    if generator is not None:
        shuffled = generator.permutation(len(sizes))
        jittered = sizes[shuffled] * generator.uniform(1 - jitter, 1 + jitter, len(sizes))
        order = shuffled[np.argsort(-jittered, kind="stable")]
    else:
        order = np.argsort(-sizes, kind="stable")
    batches: list[list[int]] = []
    longest = 0

    def targets_fit(batch: Sequence[int], row: int) -> bool:
        return target_budget is None or (len(batch) + 1) * max(targets[each] for each in (*batch, row)) <= target_budget

    for row in order.tolist():
        length = max(1, lengths[row])
        grown = max(longest, length)
        room = bool(batches) and len(batches[-1]) < max_rows and grown * (len(batches[-1]) + 1) <= budget
        if room and targets_fit(batches[-1], row):
            batches[-1].append(row)
            longest = grown
        else:
            odd = len(batches[-1]) % row_multiple if batches and len(batches[-1]) > row_multiple else 0
            carried = [batches[-1].pop() for _ in range(odd)][::-1]
            batches.append([*carried, row])
            longest = max(max(1, lengths[index]) for index in batches[-1])
    if generator is not None:
        batches = [batches[index] for index in generator.permutation(len(batches))]
    return batches
