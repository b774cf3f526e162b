"""Log-count ratios against a plain computation; while training, without what a text itself counted."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe import PaddedSequence
from seqpipe.core.chain import FeatureChain
from seqpipe.errors import ConfigError, DataError
from seqpipe.features.text.log_ratio_features import LogRatioFeatures, text_number
from seqpipe.features.text.tokens import Tokens

Rows = list[tuple[str, str]]
TWO: Rows = [
    *(("a good film", "yes"), ("so good so good", "yes"), ("a fine film", "yes"), ("good and fine", "yes")),
    *(("a bad film", "no"), ("so bad", "no"), ("not good", "no"), ("not a good film", "no"), ("bad bad film", "no")),
]
THREE: Rows = [*TWO, ("a film", "so so"), ("so a film", "so so"), ("film so so", "so so")]
SETS = {"two": TWO, "three": THREE}


def chain(rows: Rows, *, tokens: dict[str, Any] | None = None, **options: Any) -> Any:
    """Fitted."""
    stages: Any = [Tokens.configure(**(tokens or {})), {"stage": "LogRatioFeatures", "dropout": 0.0, **options}]
    features = FeatureChain(stages=stages)
    features.fit([text for text, _ in rows], [label for _, label in rows])
    return features.eval()


@torch.no_grad()
def ratios(features: Any, *texts: str) -> torch.Tensor:
    """``[B, T, n · K]``."""
    values: torch.Tensor = features(PaddedSequence.pad([features.prepare(text, None) for text in texts])).values
    return values


def ngrams(text: str, order: int) -> list[tuple[str, ...]]:
    words = text.split()
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]


class Plain:
    """The same in Python's own words."""

    def __init__(self, rows: Rows, orders: list[int], min_count: int) -> None:
        self.orders, self.labels = orders, sorted({label for _, label in rows})
        self.counts: dict[str, Counter[tuple[str, ...]]] = {label: Counter() for label in self.labels}
        for text, label in rows:
            self.counts[label].update({ngram for order in orders for ngram in ngrams(text, order)})
        every = Counter[tuple[str, ...]]()
        for counter in self.counts.values():
            every.update(counter)
        self.known = {ngram for ngram, count in every.items() if count >= min_count}
        self.totals = {label: sum(self.counts[label][ngram] + 1 for ngram in self.known) for label in self.labels}

    def ratio(self, ngram: tuple[str, ...]) -> list[float]:
        if len(self.labels) == 2:
            one, other = (
                (self.counts[label][ngram] + 1) / self.totals[label] if ngram in self.known else 1.0
                for label in self.labels
            )
            return [math.log(other / one)]
        if ngram not in self.known:
            return [0.0] * len(self.labels)
        found = []
        for label in self.labels:
            others = [other for other in self.labels if other != label]
            own = (self.counts[label][ngram] + 1) / self.totals[label]
            rest = sum(self.counts[other][ngram] + 1 for other in others) / sum(self.totals[other] for other in others)
            found.append(math.log(own / rest))
        return found

    def features(self, text: str) -> list[list[float]]:
        words = text.split()
        none = [0.0] * len(self.ratio(("no such",)))
        steps = []
        for place in range(len(words)):
            step: list[float] = []
            for order in self.orders:
                start = place - order + 1
                step += self.ratio(tuple(words[start : place + 1])) if start >= 0 else none
                if order > 1:
                    step += self.ratio(tuple(words[place : place + order])) if place + order <= len(words) else none
            steps.append(step)
        return steps


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("orders", [[1], [2], [1, 2], [1, 2, 3]])
@pytest.mark.parametrize("min_count", [1, 2])
def test_ratios_are_those_of_a_plain_computation(name: str, orders: list[int], min_count: int) -> None:
    features, plain = chain(SETS[name], orders=orders, min_count=min_count), Plain(SETS[name], orders, min_count)
    texts = [*(text for text, _ in SETS[name]), "a good bad unheard so", "unheard", "so"]
    for text, found in zip(texts, ratios(features, *texts), strict=True):
        wanted = torch.tensor(plain.features(text))
        assert wanted.shape[1] == features.output_size
        assert torch.allclose(found[: len(wanted)], wanted, atol=1e-5)
        assert not found[len(wanted) :].any()


def constant(plain: Plain) -> list[float]:
    """What the sizes of the classes alone make of every ratio."""
    totals = [float(plain.totals[label]) for label in plain.labels]
    if len(totals) == 2:
        return [math.log(totals[1] / totals[0])]
    return [math.log(total / (sum(totals) - total)) for total in totals]


@pytest.mark.parametrize("name", SETS)
def test_while_training_a_row_counts_itself_out_as_if_fitted_without_it(name: str) -> None:
    """But for the sizes of the classes, which are one constant for all rows and so tell nothing of any."""
    rows = SETS[name]
    features = chain(rows, orders=[1], min_count=1).train()
    whole = constant(Plain(rows, [1], 1))
    for index, (text, _) in enumerate(rows):
        without = Plain(rows[:index] + rows[index + 1 :], [1], 1)
        for word, found in zip(text.split(), ratios(features, text)[0].tolist(), strict=True):
            if (word,) in without.known:
                wanted = [a + b for a, b in zip(without.ratio((word,)), constant(without), strict=True)]
                assert [a + b for a, b in zip(found, whole, strict=True)] == pytest.approx(wanted, abs=1e-5)
            else:  # it stands in this text alone: nothing is left
                nothing = 0.0 if len(whole) == 1 else math.log(1 / (len(whole) - 1))
                assert [a + b for a, b in zip(found, whole, strict=True)] == pytest.approx(
                    [nothing] * len(whole), abs=1e-5
                )


def test_the_label_of_a_row_is_in_none_of_its_own_ratios() -> None:
    """Whatever label a row has, what it sees while training is the same up to the constant of the classes' sizes."""
    for index in range(len(TWO)):
        text, label = TWO[index]
        other = [*TWO[:index], (text, {"yes": "no", "no": "yes"}[label]), *TWO[index + 1 :]]
        seen = [
            ratios(chain(rows, orders=[1], min_count=1).train(), text) + constant(Plain(rows, [1], 1))[0]
            for rows in (TWO, other)
        ]
        assert torch.allclose(*seen, atol=1e-5)


@pytest.mark.parametrize("name", SETS)
def test_texts_that_training_has_not_are_seen_alike_in_both_modes(name: str) -> None:
    features = chain(SETS[name])
    texts = ["a good", "film a", "so good so good so", "good so good so", "unheard good film"]
    plain = ratios(features, *texts)
    assert torch.equal(ratios(features.train(), *texts), plain)
    known = SETS[name][0][0]
    assert not torch.equal(ratios(features.train(), known), ratios(features.eval(), known))


def test_company_and_padding_change_nothing_while_training_either() -> None:
    features = chain(TWO).train()
    texts = [text for text, _ in TWO]
    for text, found in zip(texts, ratios(features, *texts), strict=True):
        assert torch.equal(found[: len(text.split())], ratios(features, text)[0])


def test_a_text_that_stands_twice_with_the_same_label_leaves_out_one() -> None:
    rows = [*TWO, TWO[0]]
    features, plain = chain(rows, orders=[1]).train(), Plain(TWO, [1], 2)
    whole = constant(Plain(rows, [1], 2))[0]
    for word, found in zip(TWO[0][0].split(), ratios(features, TWO[0][0])[0, :, 0].tolist(), strict=True):
        assert found + whole == pytest.approx(plain.ratio((word,))[0] + constant(plain)[0], abs=1e-5)


def test_a_text_that_stands_twice_with_other_labels_leaves_out_one_of_them() -> None:
    text = "a good film"
    rows = [*TWO, (text, "no")]
    found = ratios(chain(rows, orders=[1], min_count=1).train(), text)[0, :, 0] + constant(Plain(rows, [1], 1))[0]
    either = []
    for left in ("yes", "no"):
        plain = Plain([row for row in rows if row != (text, left)], [1], 1)
        either.append(torch.tensor([plain.ratio((word,))[0] + constant(plain)[0] for word in text.split()]))
    assert any(torch.allclose(found, wanted, atol=1e-5) for wanted in either)


def test_classes_are_the_same_as_numbers_and_with_spaces_around_in_any_order() -> None:
    written = [(text, " 1 " if label == "yes" else "0") for text, label in reversed(TWO)]
    texts = [text for text, _ in TWO]
    for one, none in ((1, 0), (1.0, 0.0), (np.int64(1), np.int64(0))):
        numbered: Any = [(text, one if label == "yes" else none) for text, label in TWO]
        assert torch.equal(ratios(chain(numbered), *texts), ratios(chain(written), *texts))


def test_texts_whose_target_names_no_class_teach_nothing() -> None:
    odd: Any = [("good bad ugly", ["yes"]), ("not ugly", 1.5)]
    texts = [*(text for text, _ in TWO), "good bad ugly"]
    assert torch.equal(ratios(chain([*TWO, *odd]), *texts), ratios(chain(TWO), *texts))


@pytest.mark.parametrize("targets", [[["B-PER", "O"], ["O"]], [0.5, 1.5], [None, "a"]])
def test_targets_of_which_too_few_name_a_class_are_refused_with_the_first_that_does_not(targets: list[Any]) -> None:
    with pytest.raises(
        DataError,
        match=r"two classes or more .* none, .*: the target should name a class; received ",
    ):
        chain(list(zip(["a b", "b"], targets, strict=True)))


def test_one_class_is_nothing_to_tell_apart() -> None:
    with pytest.raises(DataError, match="needs two classes or more"):
        chain([("a", "yes"), ("b", "yes")])


def test_what_is_saved_is_restored_for_both_modes(tmp_path: Path) -> None:
    for name, rows in SETS.items():
        features = chain(rows)
        (tmp_path / name).mkdir()
        features.save_assets(tmp_path / name)
        stages: Any = [Tokens.configure(), {"stage": "LogRatioFeatures", "dropout": 0.0}]
        again: Any = FeatureChain(stages=stages)
        again.load_assets(tmp_path / name)
        assert again.output_size == features.output_size
        texts = [*(text for text, _ in rows), "unheard film"]
        for training in (True, False):
            assert torch.equal(ratios(again.train(training), *texts), ratios(features.train(training), *texts))
        again.load_state_dict(features.state_dict())


def test_beside_other_parts_that_learn(tmp_path: Path) -> None:
    stages: Any = [
        {"stage": "NGramFeatures", "size": 4},
        {"stage": "LogRatioFeatures", "dropout": 0.0},
        {"stage": "Embedding", "size": 2},
        {"stage": "LogRatioFeatures", "orders": [1], "dropout": 0.0},
    ]
    whole: Any = [Tokens.configure(), {"stage": "Concatenation", "stages": stages}]
    features: Any = FeatureChain(stages=whole)
    features.fit([text for text, _ in TWO], [label for _, label in TWO])
    texts = [text for text, _ in TWO]
    found = ratios(features.eval(), *texts)
    assert found.shape[2] == features.output_size == 4 + 3 + 2 + 1
    assert torch.equal(found[..., 4:7], ratios(chain(TWO), *texts))
    assert torch.equal(found[..., 9:], ratios(chain(TWO, orders=[1]), *texts))
    features.save_assets(tmp_path)
    again: Any = FeatureChain(stages=whole)
    again.load_assets(tmp_path)
    again.load_state_dict(features.state_dict())
    assert torch.equal(ratios(again.eval(), *texts), found)


def test_dropout_is_for_training_alone() -> None:
    features = chain(TWO, dropout=0.5)
    text = "good bad " * 300
    plain, dropped = ratios(features, text), ratios(features.train(), text)
    kept = dropped != 0
    assert torch.allclose(dropped[kept], 2 * plain[kept])
    assert 0.4 < float(kept.sum() / (plain != 0).sum()) < 0.6


def test_texts_are_told_apart() -> None:
    texts = [[1], [1, 0], [0, 1], [1, 1], [0], [0, 0], [2], [1, 2, 3], [3, 2, 1]]
    batch = PaddedSequence.pad([torch.tensor(text) for text in texts])
    numbers = text_number(batch).tolist()
    assert len(set(numbers)) == len(texts)
    assert [int(text_number(PaddedSequence.pad([torch.tensor(text)]))) for text in texts] == numbers
    assert text_number(batch.extended(16).masked(7)).tolist() == numbers


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"word_dropout": 0.1}, "word_dropout"),
        ({"rare_dropout": 1.0, "text": ["lowercase"]}, "rare_dropout"),
        ({"lowercase_share": 0.5}, "lowercase_share"),
        ({"lowercase_share": 0.5, "text": ["lowercase"]}, None),
    ],
)
def test_tokens_that_change_while_training_would_give_classes_away(
    options: dict[str, Any], refused: str | None
) -> None:
    if refused is None:
        chain(TWO, tokens=options)
        return
    with pytest.raises(ConfigError, match=f"Tokens.{refused} changes these"):
        chain(TWO, tokens=options)


def test_tokens_are_needed_before_and_counts() -> None:
    with pytest.raises(ConfigError, match="needs Tokens before it"):
        LogRatioFeatures(previous=None)
    with pytest.raises(ConfigError, match="has no counts yet"):
        LogRatioFeatures(previous=Tokens())(PaddedSequence.pad([torch.tensor([1])]))


def test_where_no_ngram_was_met_often_enough_ratios_are_zero() -> None:
    assert not ratios(chain(TWO, min_count=99), "a good film", "x").any()
    assert not ratios(chain(THREE, min_count=99), "a good film").any()
