"""Examples prepared in worker processes, in batches that are a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from seqpipe.core.chain import FeatureChain
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.batching import plan_batches
from seqpipe.data.rows import Row
from seqpipe.errors import InputError

Key = tuple[int, int]  # epoch (-1: no augmentation) and position of the row


class Carried(NamedTuple):
    """How the examples of a batch go on from the batch before.

    Attributes:
        streams: the number of each example's stream.
        begins: whether it begins a row (or the stream itself), and so goes on from nothing.
    """

    streams: list[int]
    begins: list[bool]


@dataclass(frozen=True)
class Batch:
    """Prepared examples.

    Attributes:
        inputs: what the features' second half takes.
        targets: of each example, as the head encoded them; None where a row has none.
        rows: position of each example among the loader's rows.
        failures: rows that could not be prepared, with the reason.
        carried: of parts of rows (`seqpipe.data.streams`); None of whole ones.
    """

    inputs: PaddedSequence | None
    targets: list[Tensor | None]
    rows: list[int]
    failures: list[tuple[int, InputError]]
    carried: Carried | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """From a worker: targets as arrays, since torch would open a file of shared memory for every single tensor."""
        targets = [None if target is None else target.numpy() for target in self.targets]
        return _received, (self.inputs, targets, self.rows, self.failures)


def _received(
    inputs: PaddedSequence | None,
    targets: list[Any],
    rows: list[int],
    failures: list[tuple[int, InputError]],
) -> Batch:
    return Batch(inputs, [None if target is None else torch.from_numpy(target) for target in targets], rows, failures)


class Examples(Dataset[tuple[int, "Tensor | InputError", "Tensor | None"]]):
    """Rows as prepared tensors; a key names the epoch too, for the row's randomness.

    Args:
        rows: to prepare.
        targets: one per row, or None for rows without.
        features: whose `prepare` is used.
        seed: of the run.
        sampled_targets: encodes a row's target for an epoch; those of ``targets`` when None. See `SamplesTargets`.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        targets: Sequence[Tensor | None],
        features: FeatureChain,
        seed: int,
        sampled_targets: Callable[[Any, RowKey], Tensor] | None = None,
    ) -> None:
        self.rows, self.targets, self.features, self.seed = rows, targets, features, seed
        self.sampled_targets = sampled_targets

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> tuple[int, Tensor | InputError, Tensor | None]:
        epoch, row = key
        row_key = RowKey(self.seed, epoch, row) if epoch >= 0 else None
        try:
            target = self.targets[row]
            if target is not None and row_key is not None and self.sampled_targets is not None:
                target = self.sampled_targets(self.rows[row].target, row_key)
            return row, self.features.prepare(self.rows[row].input, row_key), target
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


class TrainingBatches:
    """The batches of each epoch: planned from the lengths that the epoch's augmentation will give.

    Args:
        lengths: of the rows as measured, before augmentation.
        features: tell how augmentation changes a length, and how many steps come of it.
        seed: of the run.
        budget: padded feature steps of a batch.
        max_rows: of a batch.
        targets: steps of the rows' targets.
        target_budget: padded steps of a batch's targets; any number when None.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        features: FeatureChain,
        *,
        seed: int,
        budget: int,
        max_rows: int,
        targets: Sequence[int] = (),
        target_budget: int | None = None,
    ) -> None:
        self.lengths, self.features, self.seed = lengths, features, seed
        self._batches_of = partial(
            plan_batches, budget=budget, max_rows=max_rows, targets=targets, target_budget=target_budget
        )
        self._planned: tuple[int, list[list[int]]] = (-1, [])

    def augmented_length(self, epoch: int, row: int) -> int:
        """How long the prepared input of a row is in an epoch."""
        return self.features.augmented_length(self.lengths[row], RowKey(self.seed, epoch, row))

    def plan(self, epoch: int) -> list[list[int]]:
        """Row positions of every batch of an epoch."""
        if self._planned[0] != epoch:
            drawn = [self.augmented_length(epoch, row) for row in range(len(self.lengths))]
            steps = self.features.output_lengths(torch.tensor(drawn, dtype=torch.int64)).tolist()
            order = np.random.Generator(np.random.Philox(key=[self.seed, 2**32], counter=[0, 0, 0, epoch]))
            self._planned = epoch, self._batches_of(steps, generator=order)
        return self._planned[1]


@dataclass(frozen=True)
class Share:
    """Which part of every batch a process takes.

    Batches are planned as for one process, so several see the same batches in the same order, each row in one of them.

    Attributes:
        rank: of the process, counted from 0.
        of: number of processes.
    """

    rank: int = 0
    of: int = 1

    def take(self, batch: Sequence[int]) -> Sequence[int]:
        """This process's rows of a batch; may be none."""
        return batch[self.rank :: self.of]


class TrainingLoader:
    """The batches of the epoch that ``epoch`` names, from where the training stands in it.

    What it has handed out is its state: a loader that loads the state goes on with the next batch, though the workers
    of the first had prepared further ones.

    Args:
        examples: prepares rows.
        batches: plans epochs.
        epoch: asked for the current epoch whenever an epoch begins.
        workers: processes that prepare; they stay from epoch to epoch.
        share: of every batch that this process takes.
    """

    def __init__(
        self,
        examples: Examples,
        batches: TrainingBatches,
        epoch: Callable[[], int],
        workers: int,
        share: Share | None = None,
    ) -> None:
        self.batches, self.epoch, self.share = batches, epoch, share or Share()
        self._handed_out = self._skip = 0
        self._keys: list[list[Key]] = []
        self._loader = DataLoader(
            cast("Dataset[Any]", examples),
            batch_sampler=self._keys,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=_quiet_worker,
        )

    def __len__(self) -> int:
        return len(self.batches.plan(self.epoch()))

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        plan = self.batches.plan(epoch)
        self._handed_out, self._skip = self._skip, 0
        # In place: it is what the loader samples from.
        self._keys[:] = [[(epoch, row) for row in self.share.take(batch)] for batch in plan[self._handed_out :]]
        for batch in self._loader:
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Batches of the current epoch that were handed out."""
        return {"handed_out": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the batches of another loader's state, for one epoch."""
        self._skip = state["handed_out"]


def plain_loader(
    examples: Examples,
    lengths: Sequence[int],
    *,
    budget: int,
    max_rows: int,
    workers: int,
    share: Share | None = None,
) -> DataLoader[Batch]:
    """Every row once, not augmented, longest first; of each batch the share of this process."""
    steps = examples.features.output_lengths(torch.tensor(list(lengths), dtype=torch.int64)).tolist()
    batches = plan_batches(steps, budget=budget, max_rows=max_rows)
    share = share or Share()
    keys: list[list[Key]] = [[(-1, row) for row in share.take(batch)] for batch in batches]
    return DataLoader(
        cast("Dataset[Any]", examples),
        batch_sampler=keys,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_quiet_worker,
    )


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)  # the cores belong to the model
