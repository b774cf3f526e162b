"""Vectors of n-grams: their sum, which are known, what is hidden while training."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe import PaddedSequence
from seqpipe.core.chain import FeatureChain
from seqpipe.errors import ConfigError
from seqpipe.features.text.ngram_features import NGramFeatures
from seqpipe.features.text.tokens import Tokens

TEXTS = ["a b c", "b c a b", "a b rare", "c a b c", "d", "d e d e"]
D = 3


def chain(*, fit: bool = True, tokens: dict[str, Any] | None = None, **options: Any) -> FeatureChain:
    stages: Any = [
        Tokens.configure(**(tokens or {})),
        {"stage": "NGramFeatures", "size": D, "standard_deviation": 1.0, **options},
    ]
    features = FeatureChain(stages=stages)
    if fit:
        torch.manual_seed(1)
        features.fit(TEXTS)
    return features.eval()


@torch.no_grad()
def vectors(features: FeatureChain, *texts: str) -> torch.Tensor:
    """``[B, T, D]``."""
    values: torch.Tensor = features(PaddedSequence.pad([features.prepare(text, None) for text in texts])).values
    return values


def ngrams(text: str, order: int) -> list[tuple[str, ...]]:
    words = text.split()
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]


@pytest.mark.parametrize("orders", [[1], [2], [1, 2], [1, 3], [2, 3, 4]])
@pytest.mark.parametrize("min_count", [1, 2, 3])
def test_a_text_is_the_sum_of_its_known_n_grams(orders: list[int], min_count: int) -> None:
    features = chain(orders=orders, min_count=min_count)
    stage = features.stages[1]
    counts = Counter(ngram for text in TEXTS for order in orders for ngram in ngrams(text, order))
    known = {ngram for ngram, count in counts.items() if count >= min_count}
    assert len(stage.keys) == len(known)
    assert stage.weight.shape == (len(known) + 1, D)
    alone = {}  # the vector of each: what its last token gets beyond the known shorter ones
    for ngram in sorted(known, key=len):
        step = vectors(features, " ".join(ngram))[0, -1]
        shorter = [ngram[-order:] for order in orders if order < len(ngram)]
        alone[ngram] = step - sum(alone[part] for part in shorter if part in known)
    rows = sorted(torch.stack([*alone.values()]).tolist()) if alone else []
    assert torch.allclose(torch.tensor(rows), torch.tensor(sorted(stage.weight[1:].tolist())), atol=1e-5)
    for text in [*TEXTS, "e d c b a b unheard a b", "unheard"]:
        wanted = sum(
            (alone[ngram] for order in orders for ngram in ngrams(text, order) if ngram in known), torch.zeros(D)
        )
        assert torch.allclose(vectors(features, text)[0].sum(dim=0), wanted, atol=1e-5)


def test_no_n_gram_reaches_from_one_training_text_into_the_next() -> None:
    features = chain(orders=[2], min_count=1)
    assert not vectors(features, "rare c", "c b", "d d").any()
    assert vectors(features, "rare c a")[0, 2].any()


def test_company_and_padding_change_nothing() -> None:
    features = chain(orders=[1, 2], min_count=1)
    together = vectors(features, *TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        steps = len(text.split())
        assert torch.equal(found[:steps], vectors(features, text)[0])
        assert not found[steps:].any()


def test_characters_beside_the_numbers_are_not_looked_at() -> None:
    plain, spelt = chain(), chain(tokens={"characters": 3})
    assert torch.equal(vectors(plain, TEXTS[1]), vectors(spelt, TEXTS[1]))


def test_dropout_hides_its_share_and_keeps_the_mean() -> None:
    features = chain(orders=[1], dropout=0.25)
    text = "a " * 2000
    plain, dropped = vectors(features, text)[0], vectors(features.train(), text)[0]
    hidden = (dropped == 0).all(dim=1)
    assert float(hidden.float().mean()) == pytest.approx(0.25, abs=0.05)  # 5 deviations
    assert torch.allclose(dropped[~hidden], plain[~hidden] / 0.75)


def test_what_is_saved_is_restored(tmp_path: Path) -> None:
    features, again = chain(orders=[1, 2]), chain(fit=False, orders=[1, 2])
    features.save_assets(tmp_path)
    again.load_assets(tmp_path)
    again.load_state_dict(features.state_dict())
    for text in [*TEXTS, "unheard a b"]:
        assert torch.equal(vectors(again, text), vectors(features, text))


def test_every_met_vector_learns_and_no_other() -> None:
    features = chain(orders=[1, 2], min_count=1)
    features(PaddedSequence.pad([features.prepare("a b unheard", None)])).values.sum().backward()
    learnt = features.stages[1].weight.grad.abs().sum(dim=1) > 0
    assert int(learnt.sum()) == 3  # a, b, a b
    assert not learnt[0]


def test_nothing_is_frequent_enough() -> None:
    assert not vectors(chain(min_count=99), *TEXTS).any()


def test_tokens_are_needed_before_and_n_grams() -> None:
    with pytest.raises(ConfigError, match="needs Tokens before it"):
        NGramFeatures(previous=None)
    with pytest.raises(ConfigError, match="has no n-grams yet"):
        NGramFeatures(previous=Tokens())(PaddedSequence.pad([torch.tensor([1])]))
