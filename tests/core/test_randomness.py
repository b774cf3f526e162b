import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe import RowKey
from seqpipe.core.randomness import seed_from

draws = st.builds(
    RowKey,
    seed=st.integers(0, 2**31 - 1),
    epoch=st.integers(0, 10_000),
    row=st.integers(0, 10**8),
    stream=st.integers(0, 2**32 - 1),
)


def numbers(key: RowKey) -> list[float]:
    return key.generator().random(4).tolist()


@given(draws)
def test_a_draw_always_begins_anew(key: RowKey) -> None:
    first = key.generator()
    taken = first.random(4).tolist()
    first.standard_normal(100)
    assert numbers(key) == taken
    assert numbers(RowKey(key.seed, key.epoch, key.row, key.stream)) == taken


@given(draws, st.sampled_from(["seed", "epoch", "row", "stream"]), st.integers(1, 1000))
def test_every_counter_matters(key: RowKey, counter: str, by: int) -> None:
    other = replace(key, **{counter: getattr(key, counter) + by})
    assert not set(numbers(key)) & set(numbers(other))


@given(draws)
def test_children_are_apart_from_each_other_and_from_their_parent(key: RowKey) -> None:
    family = [key, key.child("0.Gain"), key.child("1.Gain"), key.child("0.Gain").child("0.Gain")]
    assert len({tuple(numbers(member)) for member in family}) == 4
    assert numbers(key.child("0.Gain")) == numbers(key.child("0.Gain"))


def test_many_rows_draw_as_if_independently() -> None:
    """Neighbouring counters: uniform, and without correlation from row to row or epoch to epoch."""
    grid = np.array([[RowKey(1, epoch, row).generator().random() for row in range(300)] for epoch in range(10)])
    assert grid.mean() == pytest.approx(0.5, abs=0.02)
    assert np.histogram(grid, bins=10, range=(0, 1))[0] == pytest.approx([300] * 10, abs=75)
    assert abs(np.corrcoef(grid[:, :-1].ravel(), grid[:, 1:].ravel())[0, 1]) < 0.07
    assert abs(np.corrcoef(grid[:-1].ravel(), grid[1:].ravel())[0, 1]) < 0.07


def test_neighbours_never_run_into_each_other() -> None:
    """However much one row draws, it draws nothing of the next row or epoch."""
    drawn = [RowKey(1, epoch, row).generator().random(200).tolist() for epoch in range(3) for row in range(20)]
    assert len({number for row in drawn for number in row}) == 60 * 200


def test_another_process_draws_the_same() -> None:
    key = RowKey(seed=1, epoch=2, row=3).child("0.AddNoise")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(RowKey.generator, (key,)).random(4).tolist() == numbers(key)


def test_seeds_for_torch_are_apart_and_in_range() -> None:
    counters = [(seed, epoch, step) for seed in range(3) for epoch in range(3) for step in range(50)]
    seeds = {seed_from(*row) for row in counters}
    assert len(seeds) == len(counters)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_from(1, 2) == seed_from(1, 2) != seed_from(2, 1)
