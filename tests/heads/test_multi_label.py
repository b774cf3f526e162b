import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqpipe import ConfigError, DataError, InputError, MultiLabelHead, PaddedSequence
from seqpipe.heads.multi_label import MultiLabelDecoding

D = 6
TARGETS = ["rain|wind", "", "wind", "sun"]
NAMES = ["rain", "sun", "wind"]
Encoded = Callable[..., PaddedSequence]


def fitted(targets: Any = TARGETS, **options: Any) -> MultiLabelHead:
    torch.manual_seed(0)
    head = MultiLabelHead(input_size=D, **options)
    head.fit(targets)
    return head.eval()


def test_targets_are_lists_or_texts_with_a_separator() -> None:
    head = fitted()
    assert head.classes.names == NAMES
    for raw in ("rain|wind", " wind | rain ", ["wind", "rain"], ("rain", "wind", "rain")):
        assert head.encode_target(raw).tolist() == [1, 0, 1]
    for raw in ("", "  ", [], ()):
        assert head.encode_target(raw).tolist() == [0, 0, 0]
    assert fitted(["a b", " b  c ", ""], separator=" ").encode_target("c\ta").tolist() == [1, 0, 1]
    assert fitted(["a, b", "c"], separator=",").classes.names == ["a", "b", "c"]
    assert fitted([[1, 2], [2.0], np.array([1.0])]).classes.names == ["1", "2"]


@pytest.mark.parametrize("raw", ["rain||wind", "rain|", None, 5, [None], ["rain", ""], {"rain": 1}])
def test_what_is_no_list_of_labels_is_refused(raw: Any) -> None:
    with pytest.raises(InputError, match=r"label.*received") as caught:
        fitted().encode_target(raw)
    assert caught.value.kind == "bad value"


def test_an_unknown_label_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'rainn' is none .*did you mean rain\?"):
        fitted().encode_target("rainn|wind")
    with pytest.raises(DataError, match="all 2 have 'a', and no other"):
        MultiLabelHead(input_size=D).fit(["a", ["a"], None])
    with pytest.raises(ConfigError, match="no labels yet"):
        MultiLabelHead(input_size=D)(PaddedSequence.pad([torch.zeros(1, D)]))


@pytest.mark.parametrize("weights", ["none", "balanced", {"rain": 3.0}])
def test_the_loss_is_torch_s_with_weights_of_positives(weights: Any, encoded: Encoded) -> None:
    head = fitted(class_weights=weights, hidden_sizes=[5])
    batch = encoded([5, 1, 9, 2])
    targets = [head.encode_target(raw) for raw in TARGETS]
    total, count = head.loss(batch, targets)
    positive = {"none": [1, 1, 1], "balanced": [3, 3, 1]}.get(str(weights), [3, 1, 1])
    expected = F.binary_cross_entropy_with_logits(
        head(batch).values[:, 0], torch.stack(targets), pos_weight=torch.tensor(positive)
    )
    assert float(total / count) == pytest.approx(float(expected), rel=1e-5)
    assert float(count) == 4 * 3


@torch.no_grad()
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.6])
def test_confidence_is_the_probability_of_the_whole_set(threshold: float, encoded: Encoded, place: Any) -> None:
    head = fitted()
    for parameter in head.parameters():
        parameter.mul_(4)  # decided enough for some to be answered
    batch = encoded([5, 1, 9, 2])
    every = [list(labels) for size in range(4) for labels in itertools.combinations(NAMES, size)]
    shares = {
        "|".join(labels): head.posteriors(batch, [head.encode_target(labels)] * 4) for labels in every
    }  # over all sets of labels
    assert np.sum(list(shares.values()), axis=0) == pytest.approx(np.ones(4))
    hypotheses = head.decode(batch, MultiLabelDecoding(threshold=threshold))
    single = head(batch).values[:, 0].sigmoid()
    answered = 0
    for row, hypothesis in enumerate(hypotheses):
        found = head.answer("r", hypothesis, place(truncated=1))
        assert found.labels == tuple(item.label for item in found.probabilities if item.probability >= threshold)
        assert {item.label: item.probability for item in found.probabilities} == pytest.approx(
            dict(zip(NAMES, single[row].tolist(), strict=True)), abs=1e-6
        )
        assert found.confidence == pytest.approx(shares["|".join(sorted(found.labels))][row], abs=1e-9)
        assert [item.probability for item in found.probabilities] == sorted(
            (item.probability for item in found.probabilities), reverse=True
        )
        answered += len(found.labels)
        assert found.truncated == 1
    assert 0 < answered < 12


def test_assets_restore_the_labels_and_their_weights(tmp_path: Path) -> None:
    head = fitted(class_weights="balanced")
    head.save_assets(tmp_path)
    other = MultiLabelHead(input_size=D, class_weights="balanced")
    other.load_assets(tmp_path)
    assert other.classes.names == NAMES
    assert torch.equal(other.weights, head.weights)
    assert head.weights.tolist() == [3, 3, 1]
