import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from seqpipe.evaluation.scores.bootstrap import Counts, grouped, paired_differences, score_intervals


def rate(total: Counts) -> dict[str, float]:
    """Errors in per cent of items; the second column may be 0."""
    return {"rate": 100.0 * total[0] / total[1] if total[1] else float("inf") if total[0] else 0.0}


def some_counts(rows: int, seed: int) -> Counts:
    generator = np.random.default_rng(seed)
    items = generator.integers(1, 12, rows)
    return np.stack([generator.binomial(items, 0.2), items], axis=1)


def test_intervals_are_those_of_scipy() -> None:
    counts = some_counts(60, 1)
    found = score_intervals(counts, rate, resamples=4000)["rate"]
    wanted = stats.bootstrap(
        (counts[:, 0], counts[:, 1]),
        lambda errors, items, axis: 100 * errors.sum(axis) / items.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4000,
        random_state=np.random.default_rng(2),
    ).confidence_interval
    assert found == pytest.approx(tuple(wanted), abs=0.6)  # the intervals are some 8 wide


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    hits = [
        low <= 20.0 <= high
        for seed in range(200)
        for low, high in [score_intervals(some_counts(80, seed), rate, resamples=300)["rate"]]
    ]
    assert 0.90 <= np.mean(hits) <= 0.985


@given(st.integers(0, 50), st.integers(2, 30))
def test_an_interval_is_a_function_of_the_rows_and_the_seed_whatever_their_order(seed: int, rows: int) -> None:
    counts = some_counts(rows, seed)
    low, high = score_intervals(counts, rate, seed=seed, resamples=200)["rate"]
    shuffled = np.random.default_rng(seed).permutation(counts)
    assert score_intervals(shuffled, rate, seed=seed, resamples=200)["rate"] == (low, high)
    assert low <= high
    shares = 100 * counts[:, 0] / counts[:, 1]
    assert shares.min() <= low
    assert high <= shares.max()


def test_pieces_of_the_drawing_are_one_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = some_counts(30, 3)
    whole = score_intervals(counts, rate), paired_differences(counts, some_counts(30, 4), rate)
    monkeypatch.setattr("seqpipe.evaluation.scores.bootstrap._CHUNK", 700)
    assert (score_intervals(counts, rate), paired_differences(counts, some_counts(30, 4), rate)) == whole


def test_edges() -> None:
    assert score_intervals(np.zeros((0, 2), dtype=np.int64), rate) == {}
    assert score_intervals(np.array([[1, 4]]), rate)["rate"] == (25.0, 25.0)
    assert score_intervals(np.array([[0, 4]] * 9), rate)["rate"] == (0.0, 0.0)
    low, high = score_intervals(np.array([[1, 0], [0, 3]]), rate)["rate"]  # words where none were said
    assert (low, high) == (0.0, float("inf"))


def test_groups_are_drawn_whole() -> None:
    counts = some_counts(40, 5)
    groups = [index // 8 for index in range(40)]
    sums = grouped(counts, groups)
    assert sums.tolist() == [counts[8 * group : 8 * group + 8].sum(axis=0).tolist() for group in range(5)]
    assert grouped(counts, None) is counts
    assert (grouped(counts, [groups[0]] * 40) == counts.sum(axis=0)).all()
    # Rows that resemble each other say less than as many that don't.
    alike = np.repeat(some_counts(8, 6), 10, axis=0)
    by_row = np.ptp(score_intervals(alike, rate)["rate"])
    by_group = np.ptp(score_intervals(grouped(alike, [index // 10 for index in range(80)]), rate)["rate"])
    assert by_group > 1.5 * by_row


def exact_p(first: Counts, second: Counts) -> float:
    """The randomisation test over all exchanges of rows (Fisher's)."""
    observed = abs(rate(second.sum(axis=0))["rate"] - rate(first.sum(axis=0))["rate"])
    extreme = 0
    for exchanged in itertools.product([False, True], repeat=len(first)):
        chosen = np.array(exchanged)[:, None]
        left, right = np.where(chosen, second, first), np.where(chosen, first, second)
        difference = abs(rate(right.sum(axis=0))["rate"] - rate(left.sum(axis=0))["rate"])
        extreme += difference >= observed - 1e-9
    return float(extreme / 2 ** len(first))


@pytest.mark.parametrize("seed", range(6))
def test_p_values_are_those_of_all_exchanges(seed: int) -> None:
    first, second = some_counts(9, seed), some_counts(9, seed)
    second[:, 0] = np.minimum(second[:, 1], second[:, 0] + np.random.default_rng(seed).integers(-1, 3, 9).clip(0))
    found = paired_differences(first, second, rate)["rate"]
    assert found.p_value == pytest.approx(exact_p(first, second), abs=0.02)


@given(arrays(np.int64, (12, 2), elements=st.integers(0, 6)))
def test_a_run_beside_itself_does_not_differ(counts: Counts) -> None:
    found = paired_differences(counts, counts.copy(), rate, resamples=100, exchanges=100)["rate"]
    assert (found.first, found.interval, found.p_value) == (found.second, (0.0, 0.0), 1.0)


def test_exchanging_the_runs_turns_the_sign() -> None:
    one, other = some_counts(50, 7), some_counts(50, 7)
    other[::3, 0] = 0
    there, back = (
        paired_differences(first, second, rate, resamples=20_000)["rate"]
        for first, second in ((one, other), (other, one))
    )
    assert there.second < there.first
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]), abs=0.4)  # they are some 8 wide
    assert back.p_value == pytest.approx(there.p_value, abs=0.01)
    assert there.p_value < 0.01
    assert there.interval[1] < 0


def test_chance_alone_is_rarely_significant() -> None:
    generator = np.random.default_rng(8)
    values = []
    for seed in range(60):
        one, other = some_counts(40, seed), some_counts(40, seed)
        other[:, 0] = generator.binomial(other[:, 1], 0.2)
        values.append(paired_differences(one, other, rate, seed=seed, resamples=20, exchanges=200)["rate"].p_value)
    assert np.mean(np.array(values) < 0.05) < 0.15
    assert np.mean(np.array(values) < 0.5) == pytest.approx(0.5, abs=0.2)


def test_other_units_are_refused() -> None:
    with pytest.raises(ValueError, match="same units"):
        paired_differences(some_counts(3, 1), some_counts(4, 1), rate)


def test_sums_of_fractions_stay_fractions() -> None:
    generator = np.random.default_rng(3)
    errors = generator.normal(0.0, 0.3, 90)
    counts = np.stack([errors**2, np.ones(90)], axis=1)  # squared errors and rows
    summed = grouped(counts, [row // 3 for row in range(90)])
    assert summed.dtype == np.float64
    np.testing.assert_allclose(summed.sum(axis=0), counts.sum(axis=0))

    def mean(total: Counts) -> dict[str, float]:
        return {"mse": float(total[0] / total[1])}

    low, high = score_intervals(counts, mean)["mse"]
    assert 0.03 < low < mean(counts.sum(axis=0))["mse"] < high < 0.3
    found = paired_differences(counts, counts * [4.0, 1.0], mean, resamples=300, exchanges=300)["mse"]
    assert found.second == pytest.approx(4 * found.first)
    assert found.p_value < 0.05
    assert grouped(some_counts(6, 1), [0, 0, 1, 1, 2, 2]).dtype == np.int64
