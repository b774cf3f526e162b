from itertools import chain
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import FeatureChain
from seqpipe.core.input import FileSpan
from seqpipe.core.randomness import RowKey
from seqpipe.data.loader import Batch, Examples, Share, TrainingBatches, TrainingLoader, plain_loader
from seqpipe.data.rows import Row
from seqpipe.errors import InputError


def planner(lengths: list[int], features: FeatureChain, seed: int) -> TrainingBatches:
    return TrainingBatches(lengths, features, seed=seed, budget=500, max_rows=8)


def examples(rows: list[Row], features: FeatureChain, seed: int = 3) -> Examples:
    return Examples(rows, [torch.tensor([index]) for index in range(len(rows))], features, seed)


@settings(max_examples=15)
@given(epochs=st.lists(st.integers(0, 50), min_size=1, max_size=6), seed=st.integers(0, 2**31 - 1))
def test_batches_are_a_function_of_seed_and_epoch_alone(
    epochs: list[int], seed: int, lengths: list[int], features: FeatureChain
) -> None:
    gone_through = planner(lengths, features, seed)
    for epoch in epochs:  # in any order, whatever was asked before
        asked_once = planner(lengths, features, seed)
        assert gone_through.plan(epoch) == asked_once.plan(epoch)


def test_another_epoch_and_another_seed_give_other_batches(lengths: list[int], features: FeatureChain) -> None:
    plans = [planner(lengths, features, seed).plan(epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
    assert len({str(plan) for plan in plans}) == 6


def test_batches_keep_the_budget_after_augmentation(lengths: list[int], features: FeatureChain) -> None:
    for epoch in range(4):
        batches = planner(lengths, features, 1).plan(epoch)
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        for batch in batches:
            drawn = [features.augmented_length(lengths[row], RowKey(1, epoch, row)) for row in batch]
            steps = features.output_lengths(torch.tensor(drawn))
            assert len(batch) == 1 or len(batch) * int(steps.max()) <= 500


def load_epochs(rows: list[Row], lengths: list[int], features: FeatureChain, workers: int) -> list[Batch]:
    """The batches of two epochs, one after the other out of one loader."""
    now = [0]
    loader = TrainingLoader(examples(rows, features), planner(lengths, features, 3), lambda: now[0], workers)
    batches = []
    for epoch in range(2):
        now[0] = epoch
        batches += list(loader)
    return batches


def test_the_epoch_is_asked_for_each_time_anew(rows: list[Row], lengths: list[int], features: FeatureChain) -> None:
    now = [0]
    batches = planner(lengths, features, 1)
    loader = TrainingLoader(examples(rows, features), batches, lambda: now[0], 0)
    for epoch in (0, 1, 5):
        now[0] = epoch
        assert [batch.rows for batch in loader] == batches.plan(epoch)
        assert len(loader) == len(batches.plan(epoch))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_loader_goes_on_behind_what_another_has_handed_out(
    workers: int, taken: int, rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    def loader() -> TrainingLoader:
        return TrainingLoader(examples(rows, features), planner(lengths, features, 3), lambda: 2, workers)

    whole = [batch.rows for batch in loader()]
    stopped = loader()
    begun = [batch.rows for _, batch in zip(range(taken), stopped, strict=False)]
    goes_on = loader()
    goes_on.load_state_dict(stopped.state_dict())
    assert len(goes_on) == len(whole)  # of the epoch: whoever counts has counted the first ones already
    assert begun + [batch.rows for batch in goes_on] == whole
    assert goes_on.state_dict() == {"handed_out": len(whole)}
    assert [batch.rows for batch in goes_on] == whole  # the next epoch begins at its beginning


def test_processes_share_the_batches_of_one(rows: list[Row], lengths: list[int], features: FeatureChain) -> None:
    def loaded(share: Share | None) -> list[list[int]]:
        loader = TrainingLoader(examples(rows, features), planner(lengths, features, 3), lambda: 1, 0, share)
        return [batch.rows for batch in loader]

    alone, shares = loaded(None), [loaded(Share(rank, 9)) for rank in range(9)]
    assert [sorted(chain(*parts)) for parts in zip(*shares, strict=True)] == [sorted(batch) for batch in alone]
    assert min(len(batch) for batch in alone) < 9  # one of the processes has nothing there


def test_the_number_of_workers_changes_no_bit(rows: list[Row], lengths: list[int], features: FeatureChain) -> None:
    alone = load_epochs(rows, lengths, features, 0)
    assert len(alone) > 4
    for workers in (1, 2):
        helped = load_epochs(rows, lengths, features, workers)
        assert [batch.rows for batch in helped] == [batch.rows for batch in alone]
        for one, other in zip(alone, helped, strict=True):
            assert torch.equal(one.inputs.values, other.inputs.values)
            assert torch.equal(one.inputs.lengths, other.inputs.lengths)
            assert [target.tolist() for target in one.targets] == [target.tolist() for target in other.targets]


def test_augmentation_differs_from_epoch_to_epoch_and_a_row_can_be_looked_at_again(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    batches = load_epochs(rows, lengths, features, 0)
    seen: dict[int, list[torch.Tensor]] = {}
    for batch in batches:
        for row, samples in zip(batch.rows, batch.inputs.rows(), strict=True):
            seen.setdefault(row, []).append(samples)
    for row, (first, second) in seen.items():
        assert not torch.equal(first, second)
        for epoch, samples in enumerate((first, second)):
            again = features.prepare(rows[row].input, RowKey(3, epoch, row))
            assert torch.equal(samples, again)
            assert len(samples) == features.augmented_length(lengths[row], RowKey(3, epoch, row))


def test_a_plain_loader_gives_every_row_once_as_it_is(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    batches = list(plain_loader(examples(rows, features), lengths, budget=500, max_rows=8, workers=0))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(rows)))
    for batch in batches:
        for row, samples in zip(batch.rows, batch.inputs.rows(), strict=True):
            assert torch.equal(samples, features.prepare(rows[row].input, None))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_stands_among_the_failures_and_takes_nothing_with_it(
    workers: int, rows: list[Row], features: FeatureChain, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF and nothing else")
    mixed = [
        rows[0],
        Row("x", FileSpan(tmp_path / "broken.wav"), ""),
        rows[1],
        Row("y", FileSpan(tmp_path / "gone"), ""),
    ]
    (batch,) = plain_loader(examples(mixed, features), [9000] * 4, budget=10_000, max_rows=8, workers=workers)
    assert batch.rows == [0, 2]
    assert [target.tolist() for target in batch.targets] == [[0], [2]]
    assert [(row, error.kind) for row, error in batch.failures] == [(1, "undecodable"), (3, "missing")]
    assert all(isinstance(error, InputError) and str(tmp_path) in str(error) for _, error in batch.failures)


def test_a_batch_of_broken_files_alone_has_no_inputs(features: FeatureChain, tmp_path: Path) -> None:
    broken = [Row("x", FileSpan(tmp_path / "gone.wav"), "")]
    (batch,) = plain_loader(examples(broken, features), [9000], budget=100, max_rows=8, workers=0)
    assert batch.inputs is None
    assert batch.rows == batch.targets == []
    assert [row for row, _ in batch.failures] == [0]
