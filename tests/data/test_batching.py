from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.data.batching import plan_batches

LENGTHS = st.lists(st.integers(0, 300), max_size=80)
SEEDS = st.none() | st.integers(0, 2**32)


def generator(seed: int | None) -> np.random.Generator | None:
    return None if seed is None else np.random.default_rng(seed)


@given(lengths=LENGTHS, budget=st.integers(1, 2000), max_rows=st.integers(1, 40), seed=SEEDS)
def test_every_row_is_in_one_batch_and_no_batch_is_too_large(
    lengths: list[int], budget: int, max_rows: int, seed: int | None
) -> None:
    batches = plan_batches(lengths, budget=budget, max_rows=max_rows, generator=generator(seed))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= max_rows
        padded = len(batch) * max(lengths[row] for row in batch)
        assert padded <= budget or len(batch) == 1


@given(lengths=LENGTHS, seed=SEEDS)
def test_the_plan_is_a_function_of_lengths_and_generator(lengths: list[int], seed: int | None) -> None:
    first, second = (plan_batches(lengths, budget=600, max_rows=16, generator=generator(seed)) for _ in range(2))
    assert first == second


@given(lengths=LENGTHS)
def test_without_a_generator_lengths_fall(lengths: list[int]) -> None:
    planned = [lengths[row] for batch in plan_batches(lengths, budget=600, max_rows=16) for row in batch]
    assert planned == sorted(lengths, reverse=True)


def test_neighbours_and_the_order_of_batches_change_with_the_generator() -> None:
    lengths = np.random.default_rng(0).integers(50, 400, 300).tolist()
    plans = [plan_batches(lengths, budget=4000, max_rows=256, generator=generator(seed)) for seed in range(3)]
    groups = [{frozenset(batch) for batch in plan} for plan in plans]
    assert not groups[0] & groups[1]
    means = [float(np.mean([lengths[row] for row in batch])) for batch in plans[0]]
    assert means not in (sorted(means), sorted(means, reverse=True))  # long and short batches come mixed


@pytest.mark.parametrize("seed", [None, 1])
def test_little_of_a_batch_is_padding(seed: int | None) -> None:
    lengths = np.random.default_rng(0).integers(50, 1000, 2000).tolist()
    batches = plan_batches(lengths, budget=20_000, max_rows=256, generator=generator(seed))
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert sum(lengths) / padded > 0.9
    shuffled = sum(len(batch) * 1000 for batch in batches)  # what batches of any rows would come to, nearly
    assert padded < 0.8 * shuffled


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 90)), min_size=1, max_size=60),
    st.integers(1, 400),
    st.integers(0, 2**32),
)
def test_a_budget_of_targets_bounds_them_too(rows: list[tuple[int, int]], target_budget: int, seed: int) -> None:
    lengths, targets = [length for length, _ in rows], [target for _, target in rows]

    def plan(**options: Any) -> list[list[int]]:
        return plan_batches(lengths, budget=200, max_rows=16, generator=np.random.default_rng(seed), **options)

    batches = plan(targets=targets, target_budget=target_budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(targets[row] for row in batch) <= target_budget
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 200
    assert plan(targets=targets, target_budget=10**6) == plan(), "a budget that nothing reaches changes nothing"
