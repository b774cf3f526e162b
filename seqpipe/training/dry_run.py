"""The largest batches tried before the first step, so that memory runs out in the first seconds or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from seqpipe.core.memory import is_out_of_memory
from seqpipe.data.loader import Batch, Examples, TrainingBatches, collate
from seqpipe.errors import RunError
from seqpipe.training.gradients import drop, kept_statistics, restore
from seqpipe.training.module import PipelineModule

LONGEST = 20
"""Rows among which the longest of all epochs is looked for."""


def largest_batches(batches: TrainingBatches, epochs: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Epoch and row positions of the batches that are likely to need most memory, the largest first.

    The batch of the first epoch with the most padded steps, and the one with the longest row of all epochs: that one
    alone may be larger than the budget, within which examples of several rows stay.
    """
    first = epochs[0]

    def size(epoch: int, rows: Sequence[int]) -> int:
        return len(rows) * max(batches.example_length(epoch, row) for row in rows)

    fullest = max(batches.plan(first), key=lambda rows: size(first, rows))
    longest = sorted(range(len(batches.lengths)), key=lambda row: -batches.lengths[row])[:LONGEST]
    _, epoch, row = max((batches.augmented_length(epoch, row), epoch, row) for epoch in epochs for row in longest)
    with_longest = next(
        rows for rows in batches.plan(epoch) if any(row in batches.rows_of(epoch, example) for example in rows)
    )
    found = [(first, fullest)]
    if (epoch, with_longest) != (first, fullest):
        found.append((epoch, with_longest))
    return sorted(found, key=lambda item: -size(*item))


def dry_run(module: PipelineModule, examples: Examples, batches: TrainingBatches) -> None:
    """Forward and backward pass of the largest batches; weights, statistics and random states stay as they are.

    Raises:
        RunError: there is not enough memory; rows, their lengths, and the key to lower.
    """
    epochs = range(module.current_epoch, module.config.epochs) or range(module.config.epochs - 1, module.config.epochs)
    for epoch, rows in largest_batches(batches, epochs):
        share = module.share.take(rows) or rows[-1:]  # all processes take part, since they exchange statistics
        batch = collate([examples[key] for key in batches.keys(epoch, share)])
        if module.agree(batch.inputs is None)[0]:
            continue  # rows that can't be read are told when their turn comes
        try:
            with _untouched(module):
                module.try_batch(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise _too_large(module, batch, error) from None


@contextmanager
def _untouched(module: PipelineModule) -> Iterator[None]:
    statistics = kept_statistics(module)
    devices = [module.device] if module.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        drop(module.parameters())
        restore(module, statistics)


def _too_large(module: PipelineModule, batch: Batch, error: BaseException) -> RunError:
    features = module.pipeline.features
    lengths = batch.inputs.lengths if batch.inputs is not None else torch.zeros(0)
    shown = [
        f"  {module.rows[row].where}: {features.measure.amount(lengths[index]):.3g} {features.measure.name}s"
        for index, row in enumerate(batch.rows[:5])
    ]
    if len(batch.rows) > 5:
        shown.append(f"  and {len(batch.rows) - 5} more")
    config = module.config
    advice = (
        f"lower training.batch_steps (now {config.batch_steps}), and raise training.accumulate to keep the step's size"
        if len(batch.rows) > 1
        else "this row alone is too long: cut it, leave it out, or make the model smaller"
    )
    return RunError(
        f"the largest batch doesn't fit into memory: {len(batch.rows)} rows of at most {int(lengths.max())} samples\n"
        + "\n".join(shown)
        + f"\n{advice}\n({str(error).partition(chr(10))[0]})"
    )
