"""Examples prepared in worker processes, in batches that are a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.features.chain import FeatureChain
from seqpipe.randomness import Draw
from seqpipe.sequence import PaddedSequence

Key = tuple[int, int]  # epoch (-1: no augmentation) and position of the row


@dataclass(frozen=True)
class Batch:
    """Prepared examples.

    Attributes:
        inputs: what the features' second half takes.
        targets: of each example, as the head encoded them; None where a row has none.
        rows: position of each example among the loader's rows.
        failures: rows that could not be prepared, with the reason.
    """

    inputs: PaddedSequence | None
    targets: list[Tensor | None]
    rows: list[int]
    failures: list[tuple[int, InputError]]


class Examples(Dataset[tuple[int, "Tensor | InputError", "Tensor | None"]]):
    """Rows as prepared tensors; a key names the epoch too, for the row's randomness.

    Args:
        rows: to prepare.
        targets: one per row, or None for rows without.
        features: whose `prepare` is used.
        seed: of the run.
    """

    def __init__(
        self, rows: Sequence[Row], targets: Sequence[Tensor | None], features: FeatureChain, seed: int
    ) -> None:
        self.rows, self.targets, self.features, self.seed = rows, targets, features, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> tuple[int, Tensor | InputError, Tensor | None]:
        epoch, row = key
        draw = Draw(self.seed, epoch, row) if epoch >= 0 else None
        try:
            return row, self.features.prepare(self.rows[row].input, draw), self.targets[row]
        except InputError as error:
            return row, error, None


def collate(examples: Sequence[tuple[int, Tensor | InputError, Tensor | None]]) -> Batch:
    """Examples to a batch; those that failed stand apart."""
    good = [(row, item, target) for row, item, target in examples if not isinstance(item, InputError)]
    return Batch(
        PaddedSequence.pad([item for _, item, _ in good]) if good else None,
        [target for _, _, target in good],
        [row for row, _, _ in good],
        [(row, item) for row, item, _ in examples if isinstance(item, InputError)],
    )


class TrainingBatches(Sampler[list[Key]]):
    """The batches of each epoch: planned from the lengths that the epoch's augmentation will give.

    Args:
        lengths: of the rows as measured, before augmentation.
        features: tell how augmentation changes a length, and how many steps come of it.
        seed: of the run.
        budget: padded feature steps of a batch.
        most_rows: of a batch.
        epoch: asked for the current epoch whenever an epoch's batches are needed.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        features: FeatureChain,
        *,
        seed: int,
        budget: int,
        most_rows: int,
        epoch: Callable[[], int],
    ) -> None:
        self.lengths, self.features, self.seed = lengths, features, seed
        self.budget, self.most_rows = budget, most_rows
        self.epoch = epoch
        self._planned: tuple[int, list[list[int]]] = (-1, [])

    def plan(self, epoch: int) -> list[list[int]]:
        """Row positions of every batch of an epoch."""
        if self._planned[0] != epoch:
            drawn = [
                self.features.drawn_length(length, Draw(self.seed, epoch, row))
                for row, length in enumerate(self.lengths)
            ]
            steps = self.features.output_lengths(torch.tensor(drawn, dtype=torch.int64)).tolist()
            order = np.random.Generator(np.random.Philox(key=[self.seed, 2**32], counter=[0, 0, 0, epoch]))
            self._planned = (
                epoch,
                plan_batches(steps, budget=self.budget, most_rows=self.most_rows, generator=order),
            )
        return self._planned[1]

    def __len__(self) -> int:
        return len(self.plan(self.epoch()))

    def __iter__(self) -> Iterator[list[Key]]:
        epoch = self.epoch()
        return iter([[(epoch, row) for row in batch] for batch in self.plan(epoch)])


def training_loader(examples: Examples, batches: TrainingBatches, workers: int) -> DataLoader[Batch]:
    """Batches of every epoch in turn; the workers stay from epoch to epoch."""
    return DataLoader(
        cast("Dataset[Any]", examples),
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=_quiet_worker,
    )


def plain_loader(
    examples: Examples, lengths: Sequence[int], *, budget: int, most_rows: int, workers: int
) -> DataLoader[Batch]:
    """Every row once, not augmented, longest first."""
    steps = examples.features.output_lengths(torch.tensor(list(lengths), dtype=torch.int64)).tolist()
    batches = plan_batches(steps, budget=budget, most_rows=most_rows)
    keys: list[list[Key]] = [[(-1, row) for row in batch] for batch in batches]
    return DataLoader(
        cast("Dataset[Any]", examples),
        batch_sampler=keys,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_quiet_worker,
    )


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)  # the cores belong to the model
