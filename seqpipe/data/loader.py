"""Examples prepared in worker processes, in batches that are a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from seqpipe.core.chain import FeatureChain
from seqpipe.core.randomness import RowKey
from seqpipe.core.sequence import PaddedSequence
from seqpipe.data.batching import plan_batches
from seqpipe.data.concatenation import Concatenation, require_same_shape
from seqpipe.data.rows import Row
from seqpipe.errors import InputError

Key = tuple[int, ...]  # epoch (-1: no augmentation), and positions of the rows of an example


class Example(NamedTuple):
    """One prepared example.

    Attributes:
        row: position of its row; of an example of several, the first one that could be prepared.
        input: ``[S, ...]``, or why it couldn't be prepared.
        target: as the head encoded it; None where the row has none.
        behind: positions of the rows that are concatenated behind the first.
        failures: further rows of the example, which couldn't be prepared.
    """

    row: int
    input: Tensor | InputError
    target: Tensor | None
    behind: tuple[int, ...] = ()
    failures: tuple[tuple[int, InputError], ...] = ()


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
        rows: position of each example among the loader's rows; of one of several rows, that of the first.
        failures: rows that could not be prepared, with the reason.
        carried: of parts of rows (`seqpipe.data.streams`); None of whole ones.
        behind: positions of the rows that are concatenated behind each example's first; empty where none is anywhere.
    """

    inputs: PaddedSequence | None
    targets: list[Tensor | None]
    rows: list[int]
    failures: list[tuple[int, InputError]]
    carried: Carried | None = None
    behind: Sequence[tuple[int, ...]] = ()

    def rows_of(self, example: int) -> tuple[int, ...]:
        """Positions of all rows of an example of the batch."""
        return (self.rows[example], *(self.behind[example] if self.behind else ()))

    def __reduce__(self) -> tuple[Any, ...]:
        """From a worker: targets as arrays, since torch would open a file of shared memory for every single tensor."""
        targets = [None if target is None else target.numpy() for target in self.targets]
        return _received, (self.inputs, targets, self.rows, self.failures, self.behind)


def _received(
    inputs: PaddedSequence | None,
    targets: list[Any],
    rows: list[int],
    failures: list[tuple[int, InputError]],
    behind: Sequence[tuple[int, ...]],
) -> Batch:
    tensors = [None if target is None else torch.from_numpy(target) for target in targets]
    return Batch(inputs, tensors, rows, failures, behind=behind)


class Examples(Dataset[Example]):
    """Rows as prepared tensors; a key names the epoch too, for the row's randomness, and may name several rows.

    Args:
        rows: to prepare.
        targets: one per row, or None for rows without.
        features: whose `prepare` is used.
        seed: of the run.
        sampled_targets: encodes a row's target for an epoch; those of ``targets`` when None. See `SamplesTargets`.
        concatenation: puts rows into one example; needed where a key names several.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        targets: Sequence[Tensor | None],
        features: FeatureChain,
        seed: int,
        sampled_targets: Callable[[Any, RowKey], Tensor] | None = None,
        concatenation: Concatenation | None = None,
    ) -> None:
        self.rows, self.targets, self.features, self.seed = rows, targets, features, seed
        self.sampled_targets, self.concatenation = sampled_targets, concatenation

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> Example:
        epoch, *rows = key
        parts = [self._row(epoch, row) for row in rows]
        if self.concatenation is None or len(parts) == 1:
            (alone,) = parts
            return alone
        return self._concatenated(epoch, parts, self.concatenation)

    def _row(self, epoch: int, row: int) -> Example:
        row_key = RowKey(self.seed, epoch, row) if epoch >= 0 else None
        try:
            target = self.targets[row]
            if target is not None and row_key is not None and self.sampled_targets is not None:
                target = self.sampled_targets(self.rows[row].target, row_key)
            return Example(row, self.features.prepare(self.rows[row].input, row_key), target)
        except InputError as error:
            return Example(row, error, None)

    def _concatenated(self, epoch: int, parts: Sequence[Example], concatenation: Concatenation) -> Example:
        """Those of the parts that could be prepared as one example."""
        rows: list[int] = []
        inputs: list[Tensor] = []
        targets: list[Tensor] = []
        failures: list[tuple[int, InputError]] = []
        for part in parts:
            try:
                if isinstance(part.input, InputError):
                    raise part.input
                if part.target is None:
                    raise InputError("no target", "has nothing to be learnt")
                require_same_shape(inputs[0] if inputs else part.input, part.input)
            except InputError as error:
                failures.append((part.row, error))
                continue
            rows.append(part.row)
            inputs.append(part.input)
            targets.append(part.target)
        if not rows:
            (first, reason), *others = failures
            return Example(first, reason, None, failures=tuple(others))
        whole = concatenation.input(epoch, rows, inputs, self.features.reader)
        return Example(rows[0], whole, concatenation.target(targets), tuple(rows[1:]), tuple(failures))


def collate(examples: Sequence[Example]) -> Batch:
    """Examples to a batch; those that failed stand apart."""
    good = [(example, example.input) for example in examples if not isinstance(example.input, InputError)]
    failures = [
        failure
        for example in examples
        for failure in (
            *([(example.row, example.input)] if isinstance(example.input, InputError) else []),
            *example.failures,
        )
    ]
    behind = [example.behind for example, _ in good]
    return Batch(
        PaddedSequence.pad([prepared for _, prepared in good]) if good else None,
        [example.target for example, _ in good],
        [example.row for example, _ in good],
        failures,
        behind=behind if any(behind) else (),
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
        concatenation: rows that stand in one example; each is one of its own when None.
        suits: whether an example of these rows, of that length, has room for their targets; needed by the former.
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
        concatenation: Concatenation | None = None,
        suits: Callable[[Sequence[int], int], bool] = lambda rows, length: True,
    ) -> None:
        self.lengths, self.features, self.seed = lengths, features, seed
        self.concatenation, self._suits = concatenation, suits
        self._budget, self._targets, self._target_budget = budget, targets, target_budget
        self._batches_of = partial(plan_batches, budget=budget, max_rows=max_rows, target_budget=target_budget)
        self._planned: tuple[int, list[list[int]]] = (-1, [])
        self._rows: dict[int, tuple[int, ...]] = {}
        self._example_lengths: dict[int, int] = {}

    def augmented_length(self, epoch: int, row: int) -> int:
        """How long the prepared input of a row is in an epoch."""
        return self.features.augmented_length(self.lengths[row], RowKey(self.seed, epoch, row))

    def plan(self, epoch: int) -> list[list[int]]:
        """The examples of every batch of an epoch, each by the position of its (first) row; see `rows_of`."""
        if self._planned[0] != epoch:
            drawn = [self.augmented_length(epoch, row) for row in range(len(self.lengths))]
            examples, lengths = self._examples(epoch, drawn)
            steps = self.features.output_lengths(torch.tensor(lengths, dtype=torch.int64)).tolist()
            order = np.random.Generator(np.random.Philox(key=[self.seed, 2**32], counter=[0, 0, 0, epoch]))
            targets = [self._target_length(rows) for rows in examples] if self._targets else []
            batches = self._batches_of(steps, generator=order, targets=targets)
            self._planned = epoch, [[examples[place][0] for place in batch] for batch in batches]
            self._rows = {rows[0]: rows for rows in examples}
            self._example_lengths = {rows[0]: length for rows, length in zip(examples, lengths, strict=True)}
        return self._planned[1]

    def rows_of(self, epoch: int, example: int) -> tuple[int, ...]:
        """Positions of the rows of an example of `plan`, in the order in which they stand in it."""
        self.plan(epoch)
        return self._rows[example]

    def example_length(self, epoch: int, example: int) -> int:
        """How long the prepared input of an example of `plan` is."""
        self.plan(epoch)
        return self._example_lengths[example]

    def keys(self, epoch: int, examples: Sequence[int]) -> list[Key]:
        """What `Examples` prepares these examples of `plan` by."""
        return [(epoch, *self.rows_of(epoch, example)) for example in examples]

    def _examples(self, epoch: int, drawn: Sequence[int]) -> tuple[list[tuple[int, ...]], list[int]]:
        """The rows of each example, and its length."""
        whole = self.concatenation
        if whole is None:
            return [(row,) for row in range(len(drawn))], list(drawn)
        most = self._longest_example

        def fits(rows: Sequence[int]) -> bool:
            if whole.length(epoch, rows, drawn) > most:
                return False
            return self._target_budget is None or self._target_length(rows) <= self._target_budget

        examples: list[tuple[int, ...]] = []
        for rows in whole.examples(epoch, len(drawn), fits):
            suits = len(rows) == 1 or self._suits(rows, whole.length(epoch, rows, drawn))
            examples += [rows] if suits else [(row,) for row in rows]
        return examples, [whole.length(epoch, rows, drawn) for rows in examples]

    def _target_length(self, rows: Sequence[int]) -> int:
        own = [self._targets[row] for row in rows]
        return own[0] if self.concatenation is None else self.concatenation.target_length(own)

    @cached_property
    def _longest_example(self) -> int:
        """Length that an example of several rows may have: within the budget, and no longer than the rows allow."""
        whole = self.concatenation
        if whole is None:
            return 0
        most = whole.most * max(self.lengths, default=0)
        if whole.max_length is not None:
            most = min(most, whole.max_length)
        least = 0  # steps grow with the length, so the longest one within the budget lies between the two
        while least < most:
            middle = (least + most + 1) // 2
            if int(self.features.output_lengths(torch.tensor([middle]))) <= self._budget:
                least = middle
            else:
                most = middle - 1
        return least


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
        self._keys[:] = [self.batches.keys(epoch, self.share.take(batch)) for batch in plan[self._handed_out :]]
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
