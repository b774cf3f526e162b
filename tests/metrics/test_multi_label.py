from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from seqpipe.answers.classification import ClassProbability, MultiClassification
from seqpipe.core.metric import score
from seqpipe.metrics.multi_label import MultiLabelMetric
from seqpipe.text.classes import Classes

NAMES = ["rain", "sun", "wind"]


def answer(shares: list[float], threshold: float = 0.5) -> MultiClassification:
    found = tuple(ClassProbability(name, share) for name, share in zip(NAMES, shares, strict=True))
    labels = tuple(item.label for item in found if item.probability >= threshold)
    return MultiClassification("r", labels, 1.0, found)


def test_scores_are_those_of_scikit_learn() -> None:
    metric = MultiLabelMetric(Classes(NAMES, [1, 1, 2], 4), "|")
    generator = np.random.default_rng(1)
    wanted = generator.random((60, 3)) < 0.4
    shares = np.clip(np.where(wanted, 0.65, 0.3) + generator.normal(0, 0.2, (60, 3)), 0.01, 0.99)
    targets = ["|".join(name for name, has in zip(NAMES, row, strict=True) if has) for row in wanted]
    found = score(metric, targets, [answer(row) for row in shares.tolist()])
    assert set(found) == set(metric.kinds)
    given = shares >= 0.5
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(wanted, given))
    for average in ("micro", "macro", "weighted"):
        expected = f1_score(wanted, given, average=average)
        assert found[f"{average}_f1"] == pytest.approx(100 * expected)
    sure, right = np.maximum(shares, 1 - shares).reshape(-1), (wanted == given).reshape(-1)
    bins = np.ceil(sure * 15)
    expected = sum(abs(sure[bins == number].sum() - right[bins == number].sum()) for number in set(bins)) / len(sure)
    assert found["ece"] == pytest.approx(100 * expected, abs=1e-3)


def test_labels_that_training_lacks_are_not_found() -> None:
    metric = MultiLabelMetric(Classes(NAMES, [1, 1, 2], 4), "|")
    targets: list[Any] = ["rain|snow", "rain", 5, ""]
    predictions = [answer([0.9, 0.1, 0.1])] * 3 + [answer([0.1, 0.1, 0.1])]
    counts = metric.count(targets, predictions)
    assert metric.errors(counts).tolist() == [1, 0, 2, 0]
    scores = metric.scores(counts.sum(axis=0))
    assert scores["accuracy"] == 50
    assert scores["micro_f1"] == pytest.approx(100 * 2 * 2 / (4 + 3))
    assert metric.comparable(targets, predictions) == (
        ["rain|snow", "rain", "5", ""],
        ["rain", "rain", "rain", ""],
    )
    assert metric.aligned(targets, predictions)["labels"][0] == [("rain", "rain"), ("snow", "")]
    assert metric.aligned([""], [answer([0.1, 0.9, 0.1])]) == {"labels": [[("", "sun")]]}
