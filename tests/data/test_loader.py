from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe import AddNoise, FeatureChain, LogMel, SpeedPerturbation, Waveform
from seqpipe.data.loader import Batch, Examples, TrainingBatches, plain_loader, training_loader
from seqpipe.data.rows import AudioSpan, Row
from seqpipe.data.source import read_rows
from seqpipe.errors import InputError
from seqpipe.randomness import Draw
from seqpipe.recipe import DataConfig


@pytest.fixture(scope="module")
def features() -> FeatureChain:
    """Everything that augments in the loader."""
    return FeatureChain(
        stages=[
            Waveform.configure(sample_rate=8000),
            SpeedPerturbation.configure(factors=[0.9, 1.0, 1.1]),
            AddNoise.configure(probability=1.0),
            LogMel.configure(n_mels=8),
        ]
    )


@pytest.fixture(scope="module")
def rows(tone_data: Path) -> list[Row]:
    return list(read_rows(str(tone_data / "train.tsv"), DataConfig(), reads_files=True))[:24]


@pytest.fixture(scope="module")
def lengths(features: FeatureChain, rows: list[Row]) -> list[int]:
    return [features.measure(row.input) for row in rows]


def planner(lengths: list[int], features: FeatureChain, seed: int, epoch: Callable[[], int]) -> TrainingBatches:
    return TrainingBatches(lengths, features, seed=seed, budget=500, most_rows=8, epoch=epoch)


def examples(rows: list[Row], features: FeatureChain, seed: int = 3) -> Examples:
    return Examples(rows, [torch.tensor([index]) for index in range(len(rows))], features, seed)


@settings(max_examples=15)
@given(epochs=st.lists(st.integers(0, 50), min_size=1, max_size=6), seed=st.integers(0, 2**31 - 1))
def test_batches_are_a_function_of_seed_and_epoch_alone(
    epochs: list[int], seed: int, lengths: list[int], features: FeatureChain
) -> None:
    gone_through = planner(lengths, features, seed, lambda: 0)
    for epoch in epochs:  # in any order, whatever was asked before
        asked_once = planner(lengths, features, seed, lambda: 0)
        assert gone_through.plan(epoch) == asked_once.plan(epoch)


def test_another_epoch_and_another_seed_give_other_batches(lengths: list[int], features: FeatureChain) -> None:
    plans = [planner(lengths, features, seed, lambda: 0).plan(epoch) for seed in (1, 2) for epoch in (0, 1, 2)]
    assert len({str(plan) for plan in plans}) == 6


def test_batches_keep_the_budget_after_augmentation(lengths: list[int], features: FeatureChain) -> None:
    for epoch in range(4):
        batches = planner(lengths, features, 1, lambda: 0).plan(epoch)
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        for batch in batches:
            drawn = [features.drawn_length(lengths[row], Draw(1, epoch, row)) for row in batch]
            steps = features.output_lengths(torch.tensor(drawn))
            assert len(batch) == 1 or len(batch) * int(steps.max()) <= 500


def test_the_epoch_is_asked_for_each_time_anew(lengths: list[int], features: FeatureChain) -> None:
    now = [0]
    batches = planner(lengths, features, 1, lambda: now[0])
    for epoch in (0, 1, 5):
        now[0] = epoch
        keys = list(batches)
        assert [[row for _, row in batch] for batch in keys] == batches.plan(epoch)
        assert {found for batch in keys for found, _ in batch} == {epoch}
        assert len(batches) == len(keys)


def load_epochs(rows: list[Row], lengths: list[int], features: FeatureChain, workers: int) -> list[Batch]:
    """The batches of two epochs, one after the other out of one loader."""
    now = [0]
    loader = training_loader(examples(rows, features), planner(lengths, features, 3, lambda: now[0]), workers)
    batches = []
    for epoch in range(2):
        now[0] = epoch
        batches += list(loader)
    return batches


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
            again = features.prepare(rows[row].input, Draw(3, epoch, row))
            assert torch.equal(samples, again)
            assert len(samples) == features.drawn_length(lengths[row], Draw(3, epoch, row))


def test_a_plain_loader_gives_every_row_once_as_it_is(
    rows: list[Row], lengths: list[int], features: FeatureChain
) -> None:
    batches = list(plain_loader(examples(rows, features), lengths, budget=500, most_rows=8, workers=0))
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
        Row("x", AudioSpan(tmp_path / "broken.wav"), ""),
        rows[1],
        Row("y", AudioSpan(tmp_path / "gone"), ""),
    ]
    (batch,) = plain_loader(examples(mixed, features), [9000] * 4, budget=10_000, most_rows=8, workers=workers)
    assert batch.rows == [0, 2]
    assert [target.tolist() for target in batch.targets] == [[0], [2]]
    assert [(row, error.kind) for row, error in batch.failures] == [(1, "undecodable"), (3, "missing")]
    assert all(isinstance(error, InputError) and str(tmp_path) in str(error) for _, error in batch.failures)


def test_a_batch_of_broken_files_alone_has_no_inputs(features: FeatureChain, tmp_path: Path) -> None:
    broken = [Row("x", AudioSpan(tmp_path / "gone.wav"), "")]
    (batch,) = plain_loader(examples(broken, features), [9000], budget=100, most_rows=8, workers=0)
    assert batch.inputs is None
    assert batch.rows == batch.targets == []
    assert [row for row, _ in batch.failures] == [0]
