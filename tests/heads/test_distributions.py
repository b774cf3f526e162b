"""What heads predict as distributions: their loss is one of these, and what is compared is a probability."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqpipe import AttentionHead, ClassifierHead, CTCHead, PaddedSequence, RegressionHead, TaggerHead
from seqpipe.core.head import Encoded, Head, PredictsDistributions

SIZE, LENGTHS = 6, [9, 14, 5]
TEXTS = ["ab", "abba", "b"]
TAGS = [["O", "B-X"] * 4 + ["O"], ["B-X", "I-X"] * 7, ["O"] * 5]
HEADS: dict[str, tuple[Callable[[], Head], list[object]]] = {
    "CTC": (lambda: CTCHead(input_size=SIZE, dropout=0.4), list(TEXTS)),
    "a class": (lambda: ClassifierHead(input_size=SIZE, label_smoothing=0.1, dropout=0.4), ["a", "b", "a"]),
    "members": (lambda: ClassifierHead(input_size=SIZE, members=3, class_weights="balanced"), ["a", "b", "a"]),
    "tags": (lambda: TaggerHead(input_size=SIZE, label_smoothing=0.1, scheme="bio", dropout=0.4), list(TAGS)),
    "attention": (lambda: attention(dropout=0.4, label_smoothing=0.1), list(TEXTS)),
    "attention and CTC": (lambda: attention(ctc_weight=0.3), list(TEXTS)),
}


def attention(**options: object) -> AttentionHead:
    return AttentionHead(input_size=SIZE, units="characters", embedding_size=5, hidden_size=7, **options)


def fitted(name: str) -> tuple[Head, list[Tensor]]:
    make, raw = HEADS[name]
    torch.manual_seed(1)
    head = make()
    head.fit(raw)
    return head, [head.encode_target(target) for target in raw]


def encoded() -> Encoded:
    generator = torch.Generator().manual_seed(2)
    return Encoded(*PaddedSequence.pad([torch.randn(length, SIZE, generator=generator) for length in LENGTHS]))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("training", [True, False])
def test_the_loss_is_that_of_what_is_predicted(name: str, training: bool) -> None:
    head, targets = fitted(name)
    head.train(training)
    assert isinstance(head, PredictsDistributions)
    assert head.has_distributions
    steps = [found.log_probabilities for found in head.predict(encoded(), targets)]
    assert head.predicts_steps is any(found.lengths.tolist() == list(LENGTHS) for found in steps)
    torch.manual_seed(3)
    total, count = head.loss(encoded(), targets)
    torch.manual_seed(3)  # the same is dropped
    again, labels = head.predicted_loss(head.predict(encoded(), targets), encoded(), targets)
    torch.testing.assert_close(again, total)
    assert float(labels) == pytest.approx(float(count))


@pytest.mark.parametrize("name", HEADS)
def test_they_are_probabilities_whose_shares_are_one_and_alone_as_in_a_batch(name: str) -> None:
    head, targets = fitted(name)
    head.eval()
    assert isinstance(head, PredictsDistributions)
    predicted = head.predict(encoded(), targets)
    assert sum(share for share, _ in predicted) == pytest.approx(1 / 3 if name == "members" else 1.0)
    for place, (_, found) in enumerate(predicted):
        torch.testing.assert_close(found.values.exp().sum(dim=-1)[found.mask()], torch.ones(int(found.lengths.sum())))
        for row, target in enumerate(targets):
            alone = head.predict(encoded().chosen([row]), [target])[place].log_probabilities
            torch.testing.assert_close(alone.rows()[0], found.rows()[row], rtol=1e-5, atol=1e-5)


def test_a_crf_and_numbers_have_none() -> None:
    assert not TaggerHead(input_size=SIZE, decoder="crf").has_distributions
    assert not isinstance(RegressionHead(input_size=SIZE), PredictsDistributions)
