from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqpipe import ClassifierHead, ConfigError, DataError, InputError, PaddedSequence
from seqpipe.answers.classification import Classification, ClassProbability
from seqpipe.heads.class_weights import class_weights
from seqpipe.heads.classifier import ClassifierDecoding

D = 6
TARGETS = ["good", "bad", "good", "odd", "good"]
Encoded = Callable[..., PaddedSequence]


def fitted(targets: Any = TARGETS, **options: Any) -> ClassifierHead:
    torch.manual_seed(0)
    head = ClassifierHead(input_size=D, **options)
    head.fit(targets)
    return head.eval()


def answer(label: str, confidence: float = 0.9) -> Classification:
    return Classification("r", label, confidence, (ClassProbability(label, confidence),))


def test_targets_are_numbers_of_classes() -> None:
    head = fitted()
    assert head.classes.names == ["bad", "good", "odd"]
    assert [head.encode_target(name).tolist() for name in (" good ", "bad")] == [[1], [0]]
    with pytest.raises(InputError, match="did you mean good") as caught:
        head.encode_target("goood")
    assert caught.value.kind == "unknown label"
    with pytest.raises(InputError, match="should name a class"):
        head.encode_target(["good"])


def test_numbers_name_classes_however_a_table_holds_them() -> None:
    head = fitted([0, 1, 2.0, "1"])
    assert head.classes.names == ["0", "1", "2"]
    assert head.encode_target(1.0).tolist() == head.encode_target("1").tolist() == [1]
    counts = head.metric.count([1.0, 2], [answer("1"), answer("1")])
    assert head.metric.errors(counts).tolist() == [0.0, 1.0]
    assert head.metric.comparable([1.0, 2], [answer("1"), answer("1")]) == (["1", "2"], ["1", "1"])


def test_training_rows_need_two_classes() -> None:
    with pytest.raises(DataError, match="two classes or more to tell apart; the only one is 'good'"):
        ClassifierHead(input_size=D).fit(["good", "good", None, ""])
    with pytest.raises(ConfigError, match=r"no classes yet: call fit\(targets\) or load_assets"):
        ClassifierHead(input_size=D)(PaddedSequence.pad([torch.zeros(1, D)]))


@pytest.mark.parametrize("options", [{}, {"class_weights": "balanced"}, {"label_smoothing": 0.2}])
def test_the_loss_is_torch_s_cross_entropy(options: dict[str, Any], encoded: Encoded) -> None:
    head = fitted(hidden_sizes=[5], **options)
    names = ["good", "odd", "bad", "good"]
    batch = encoded([5, 1, 9, 2])
    total, count = head.loss(batch, [head.encode_target(name) for name in names])
    criterion = nn.CrossEntropyLoss(
        weight=class_weights(head.classes, options.get("class_weights", "none")),
        label_smoothing=options.get("label_smoothing", 0.0),
    )
    labels = torch.tensor([head.classes.require(name) for name in names])
    assert float(total / count) == pytest.approx(float(criterion(head(batch).values[:, 0], labels)), rel=1e-5)
    if not options.get("class_weights"):
        assert float(count) == len(names)


@torch.no_grad()
def test_confidence_is_the_probability_of_the_answer(encoded: Encoded, place: Any) -> None:
    head = fitted()
    batch = encoded([5, 1, 9, 2])
    shares = head(batch).values[:, 0].exp()
    assert torch.allclose(shares.sum(dim=1), torch.ones(4))
    for row, hypothesis in zip(shares, head.decode(batch), strict=True):
        found = head.answer("r", hypothesis, place(truncated=3))
        assert found.label == head.classes.names[int(row.argmax())]
        assert found.confidence == pytest.approx(float(row.max()), abs=1e-6)
        assert [item.probability for item in found.probabilities] == pytest.approx(
            row.sort(descending=True).values.tolist(), abs=1e-6
        )
        assert found.truncated == 3
    targets = [torch.tensor([int(row.argmax())]) for row in shares]
    assert head.posteriors(batch, targets) == pytest.approx(shares.amax(dim=1).tolist(), abs=1e-6)
    assert [len(row) for row in head.decode(batch, ClassifierDecoding(top=2))] == [2] * 4


@torch.no_grad()
def test_an_answer_among_some_classes_has_their_share_of_the_probability(encoded: Encoded) -> None:
    head = fitted([0, 1, 2, 1])
    batch = encoded([5, 1, 9, 2])
    shares = head(batch).values[:, 0, [0, 2]].exp()
    shares /= shares.sum(dim=1, keepdim=True)
    for row, hypothesis in zip(shares, head.decode(batch, ClassifierDecoding(among=[2, 0])), strict=True):  # type: ignore[list-item]
        assert {number for number, _ in hypothesis} == {0, 2}
        assert [share for _, share in hypothesis] == pytest.approx(row.sort(descending=True).values.tolist(), abs=1e-6)
    with pytest.raises(ConfigError, match=r"decoding\.among '7' is none of the classes"):
        head.decode(batch, ClassifierDecoding(among=["7"]))


@torch.no_grad()
def test_equal_probabilities_are_answered_in_the_order_of_the_classes(encoded: Encoded) -> None:
    head = fitted()
    for parameter in head.parameters():
        parameter.zero_()
    assert [[number for number, _ in row] for row in head.decode(encoded([5, 1, 9]))] == [[0, 1, 2]] * 3


@torch.no_grad()
@pytest.mark.parametrize("options", [None, ClassifierDecoding(top=2, among=["bad", "odd"])])
def test_a_temperature_changes_probabilities_and_no_class(options: Any, encoded: Encoded) -> None:
    head, batch = fitted(), encoded([5, 1, 9])
    before = head.decode(batch, options)
    for temperature in (0.5, 3.0, 1e-3, 1e3):  # whose probabilities are hardly to be told apart, too
        head.temperature = temperature
        after = head.decode(batch, options)
        assert [[number for number, _ in row] for row in after] == [[number for number, _ in row] for row in before]
        for one, other in zip(before, after, strict=True):
            powers = torch.tensor([share for _, share in one], dtype=torch.float64).log() / temperature
            assert [share for _, share in other] == pytest.approx(powers.softmax(0).tolist(), abs=1e-6)
    head.temperature = 1.0
    assert head.decode(batch, options) == before


def test_assets_restore_the_classes(tmp_path: Path, encoded: Encoded) -> None:
    head = fitted(class_weights="balanced")
    head.save_assets(tmp_path)
    other = ClassifierHead(input_size=D, class_weights="balanced")
    other.load_assets(tmp_path)
    other.load_state_dict(head.state_dict())
    batch = encoded([3, 8])
    assert torch.equal(other.eval()(batch).values, head(batch).values)
    assert torch.equal(other.weights, head.weights)


def test_gradients_reach_every_parameter(encoded: Encoded) -> None:
    head = fitted(pooling=["mean", "max", "end", "attention"], hidden_sizes=[5], focal=2.0).train()
    labels: list[Tensor] = [head.encode_target(name) for name in ("good", "bad")]
    head.loss(encoded([4, 7]), labels)[0].backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name
