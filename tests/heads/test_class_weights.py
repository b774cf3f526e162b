"""How much each class counts in the loss."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from seqpipe import ConfigError
from seqpipe.heads.class_weights import class_weights, positive_weights
from seqpipe.text.classes import Classes


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    targets = ["a"] * 7 + ["b"] * 2 + ["c"]
    weights = class_weights(Classes.learn(targets), "balanced")
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=np.array(targets))
    assert weights.tolist() == pytest.approx(expected.tolist())


def test_weights_by_name_are_one_where_not_given() -> None:
    classes = Classes.learn(["a", "b", "c"])
    assert class_weights(classes, "none").tolist() == [1, 1, 1]
    for weights in (class_weights(classes, {"b": 2.5}), positive_weights(classes, {"b": 2.5})):
        assert weights.tolist() == [1, 2.5, 1]
    with pytest.raises(ConfigError, match=r"class_weights\.bb: there is no such class; did you mean"):
        class_weights(Classes.learn(["a", "bbb"]), {"bb": 1.0})
    with pytest.raises(ConfigError, match=r"class_weights\.a: should be at least 0; received -1"):
        class_weights(classes, {"a": -1.0})


def test_rows_that_have_a_label_weigh_as_much_as_those_that_have_not() -> None:
    classes = Classes.learn_sets([["b", "b", "a"], [], ["b"], []])
    assert positive_weights(classes, "balanced").tolist() == [3.0, 1.0]
    assert positive_weights(classes, "none").tolist() == [1.0, 1.0]
