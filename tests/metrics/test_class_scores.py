import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef

from seqpipe.metrics import calibration
from seqpipe.metrics.class_scores import (
    class_count_names,
    class_counts,
    class_scores,
    label_counts,
    micro_f1,
)

K = 4
Numbers = NDArray[np.int64]


def pairs(wanted: list[int], given: list[int], rows: int = 200, seed: int = 0) -> tuple[Numbers, Numbers]:
    """Targets and answers of these classes; two of three answers are right, as far as they can be."""
    generator = np.random.default_rng(seed)
    targets, answers = generator.choice(wanted, rows), generator.choice(given, rows)
    known = np.isin(targets, given) & (generator.random(rows) < 0.66)
    return targets, np.where(known, targets, answers)


CASES = {
    "all classes": ([0, 1, 2, 3], [0, 1, 2, 3]),
    "labels that training lacks": ([0, 1, 2, 3, K], [0, 1, 2, 3]),
    "a class without targets": ([0, 1, 3], [0, 1, 2, 3]),
    "a class that is never answered": ([0, 1, 2, 3], [0, 2, 3]),
    "a class that nobody speaks of": ([0, 3], [0, 3]),
    "one class only": ([2], [2]),
    "one class, and answers of another": ([2], [1]),
    "nothing but unknown ones": ([K], [0, 1]),
}


@pytest.mark.parametrize(("wanted", "given"), CASES.values(), ids=CASES)
def test_scores_are_those_of_scikit_learn(wanted: list[int], given: list[int]) -> None:
    targets, answers = pairs(wanted, given)
    counts = sum(class_counts(targets[place : place + 7], answers[place : place + 7], K) for place in range(0, 200, 7))
    assert counts.shape == (len(class_count_names(["a"] * K)),)
    found = class_scores(counts, K)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn tells of classes without answers
        expected = {
            "macro_f1": 100 * f1_score(targets, answers, average="macro", zero_division=0),
            "weighted_f1": 100 * f1_score(targets, answers, average="weighted", zero_division=0),
            "uar": 100 * balanced_accuracy_score(targets, answers),
            "mcc": matthews_corrcoef(targets, answers),
        }
    assert found == pytest.approx(expected, abs=1e-9)


def test_nothing_at_all_scores_nothing() -> None:
    none = np.zeros(3 * K + 1, dtype=np.int64)
    assert class_scores(none, K) == {"macro_f1": 0, "weighted_f1": 0, "uar": 0, "mcc": 0}
    assert micro_f1(none, K) == 0
    assert calibration.score(np.zeros(len(calibration.names()), dtype=np.int64)) == {"ece": 0}


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_sets_are_those_of_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.random((50, K)) < [0.5, 0.1, 0.0, 0.3]  # nobody wants the third
    answers = generator.random((50, K)) < [0.5, 0.2, 0.0, 0.0]  # nor is it answered; the last one never
    counts = sum(
        label_counts(np.flatnonzero(target), np.flatnonzero(answer), K)
        for target, answer in zip(targets, answers, strict=True)
    )
    found = class_scores(counts, K)
    for average in ("macro", "weighted"):
        expected = f1_score(targets, answers, average=average, zero_division=np.nan)
        assert found[f"{average}_f1"] == pytest.approx(100 * expected)
    assert micro_f1(counts, K) == pytest.approx(100 * f1_score(targets, answers, average="micro"))


def test_an_unknown_label_is_one_that_was_not_found() -> None:
    counts = label_counts(np.array([0, K, K]), np.array([0]), K)
    assert micro_f1(counts, K) == pytest.approx(100 * 2 * 1 / (3 + 1))


@pytest.mark.parametrize("edges", [False, True])
def test_calibration_error_is_that_of_a_plain_implementation(edges: bool) -> None:
    generator = np.random.default_rng(3)
    shares = generator.integers(0, 16, 500) / 15 if edges else generator.random(500)
    shares[:2] = 0.0, 1.0
    right = generator.random(500) < shares**2
    counts = sum(calibration.counts(shares[place : place + 9], right[place : place + 9]) for place in range(0, 500, 9))
    expected = 0.0
    for number in range(15):  # bins (low, high], the first with its low end
        inside = [
            place
            for place in range(500)
            if number / 15 < shares[place] <= (number + 1) / 15 or (number == 0 and shares[place] == 0)
        ]
        if inside:
            expected += abs(sum(right[inside]) / len(inside) - sum(shares[inside]) / len(inside)) * len(inside) / 500
    assert calibration.score(counts)["ece"] == pytest.approx(100 * expected, abs=1e-3)
    assert expected > 0.05


def test_answers_that_are_right_as_often_as_they_say_have_no_calibration_error() -> None:
    shares = np.full(1000, 0.7)
    assert calibration.score(calibration.counts(shares, np.arange(1000) < 700))["ece"] == pytest.approx(0, abs=1e-9)
    assert calibration.score(calibration.counts(shares, np.arange(1000) < 200))["ece"] == pytest.approx(50)
