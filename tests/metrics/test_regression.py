import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from seqpipe import RegressionHead
from seqpipe.answers.regression import Regression
from seqpipe.core.metric import score
from seqpipe.metrics.number_scores import SUMS
from seqpipe.metrics.regression import RegressionMetric, Scale

TARGETS: list[Any] = [1.0, 3, "5", 11]


def answer(*values: float, confidence: float = 0.5) -> Regression:
    return Regression("r", values, (1.0,) * len(values), confidence)


def scale_of(targets: list[Any], **options: Any) -> Scale:
    head = RegressionHead(input_size=1, **options)
    head.fit(targets)
    return head.scale


@pytest.mark.parametrize("centre", [0.0, 1e7])
def test_scores_are_those_of_scikit_learn(centre: float) -> None:
    generator = np.random.default_rng(1)
    wanted = centre + generator.normal(0, [1.0, 20.0], (50, 2))
    given = centre + 0.7 * (wanted - centre) + generator.normal(0, [0.3, 4.0], (50, 2))
    metric = RegressionMetric(scale_of(wanted.tolist()))
    predictions = [answer(*row) for row in given.tolist()]
    found = score(metric, wanted.tolist(), predictions)
    assert set(found) == set(metric.kinds)
    assert found["mae"] == pytest.approx(mean_absolute_error(wanted, given), rel=1e-6)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(wanted, given), rel=1e-6)
    assert found["r2"] == pytest.approx(r2_score(wanted, given), rel=1e-6)
    expected = np.mean([pearsonr(wanted[:, place], given[:, place])[0] for place in (0, 1)])
    assert found["pearson"] == pytest.approx(expected, rel=1e-6)
    right = (np.abs(given - wanted) <= metric.scale.tolerances).all(axis=1)
    assert found["within_tolerance"] == pytest.approx(100 * right.mean())
    assert found["ece"] == pytest.approx(abs(50 - found["within_tolerance"]))
    counts = metric.count(wanted.tolist(), predictions)
    assert counts.shape == (50, len(metric.names)) == (50, 3 + 2 * len(SUMS) + 45)
    errors = metric.errors(counts)
    assert ((errors == 0) == right).all()
    assert errors[~right] == pytest.approx((np.abs(given - wanted) / metric.scale.tolerances).mean(axis=1)[~right])


def test_scores_that_are_not_defined_are_zero() -> None:
    metric = RegressionMetric(scale_of(TARGETS))
    for wanted, given in (([3.0, 3.0], [1.0, 2.0]), ([7.0], [7.0]), ([1.0, 2.0], [5.5, 5.5])):
        found = score(metric, wanted, [answer(value) for value in given])
        assert found["pearson"] == 0
        assert math.isfinite(found["r2"])
    assert set(metric.scores(np.zeros(len(metric.names))).values()) == {0.0}


def test_a_target_that_is_no_number_is_wrong_and_in_no_mean() -> None:
    metric = RegressionMetric(scale_of(TARGETS, tolerance=1.0))
    predictions = [answer(3.5), answer(9.0), answer(5.0)]
    counts = metric.count([3, "x", [1, 2]], predictions)
    found = metric.scores(counts.sum(axis=0))
    assert found["mae"] == pytest.approx(0.5)
    assert found["within_tolerance"] == pytest.approx(100 / 3)
    assert metric.errors(counts).tolist() == [0, 1, 1]
    assert metric.comparable([3, "x", [1, 2]], predictions) == (["3", "x", "[1, 2]"], ["3.5", "9", "5"])
    assert metric.aligned([3], [answer(1 / 3)]) == {"values": [[("3", "0.333333")]]}
