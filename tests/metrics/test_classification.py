import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, matthews_corrcoef

from seqpipe.answers.classification import Classification, ClassProbability
from seqpipe.core.metric import score
from seqpipe.metrics.classification import ClassificationMetric
from seqpipe.text.classes import Classes

TARGETS = ["good", "bad", "good", "odd", "good"]


def answer(label: str, confidence: float = 0.9) -> Classification:
    return Classification("r", label, confidence, (ClassProbability(label, confidence),))


def test_scores_are_those_of_scikit_learn_also_with_labels_that_training_lacks() -> None:
    metric = ClassificationMetric(Classes.learn(TARGETS))
    generator = np.random.default_rng(1)
    wanted = generator.choice(["good", "bad", "odd", "new"], 80).tolist()
    given = [name if name != "new" and generator.random() < 0.6 else "bad" for name in wanted]
    predictions = [answer(name) for name in given]
    found = score(metric, wanted, predictions)
    assert set(found) == set(metric.kinds)
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(wanted, given))
    for average in ("macro", "weighted"):
        expected = f1_score(wanted, given, average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(100 * expected)
    assert found["uar"] == pytest.approx(100 * balanced_accuracy_score(wanted, given))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(wanted, given))
    assert found["ece"] == pytest.approx(abs(90 - found["accuracy"]), abs=1e-6)
    counts = metric.count(wanted, predictions)
    assert counts.shape == (80, len(metric.names))
    assert metric.errors(counts).tolist() == [float(one != other) for one, other in zip(wanted, given, strict=True)]
    assert metric.aligned(wanted[:1], predictions[:1]) == {"classes": [[(wanted[0], given[0])]]}


def test_a_target_that_names_no_class_is_wrong() -> None:
    metric = ClassificationMetric(Classes.learn(TARGETS))
    assert score(metric, [None, 1.5, ["good"]], [answer("good")] * 3)["accuracy"] == 0
