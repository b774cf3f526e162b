import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from seqpipe.decoding.language_scores import language_scores
from seqpipe.decoding.prefix_scorer import PrefixScorer, WordList
from seqpipe.decoding.unit_trie import UnitTrie
from seqpipe.decoding.word_spacing import WordSpacing

PIECES = [" ", "a", "b"]
WORDS = ["a", "ab", "bb"]
TEXTS = ["".join(signs) for length in range(5) for signs in itertools.product(PIECES, repeat=length)]


def labels_of(text: str) -> list[int]:
    return [1 + PIECES.index(sign) for sign in text]


def of_units(model: Any, units: Sequence[str]) -> float:
    """Of units without the end behind them, in nats."""
    size = len(model.vocabulary)
    known = model.vocabulary.index(units[-1]) if units and units[-1] in model.vocabulary else size + (not units)
    return model.of(units) - float(model.table[known, size])


def test_without_a_language_model_there_is_nothing_to_say() -> None:
    assert language_scores(PrefixScorer(), [[1, 2]]) is None


def test_of_a_model_over_units_each_label_has_its_own(either: Callable) -> None:
    model = either(["b", "▁", "a"])
    scorer = PrefixScorer(WordSpacing(PIECES), model=model, units=np.array([-1, 1, 2, 0]), lm_weight=0.7)
    found = language_scores(scorer, [labels_of(text) for text in TEXTS])
    for text, scores in zip(TEXTS, found, strict=True):
        units = text.replace(" ", "▁")
        wanted = [of_units(model, units[: at + 1]) - of_units(model, units[:at]) for at in range(len(units))]
        assert list(scores) == pytest.approx(wanted, abs=1e-5)


def test_of_a_model_over_words_each_stands_at_its_last_label(either: Callable) -> None:
    model = either(["bb", "a", "c"])  # without ab
    trie = UnitTrie([labels_of(word) for word in WORDS], range(3), 4)
    words = WordList(trie, np.array([1, -1, 0]), np.ones(3, bool), -2.5)
    scorer = PrefixScorer(WordSpacing(PIECES), words, model, lm_weight=0.5)
    found = language_scores(scorer, [labels_of(text) for text in TEXTS])
    for text, scores in zip(TEXTS, found, strict=True):
        said = text.split()
        ends = [at for at, sign in enumerate(text) if sign != " " and text[at + 1 : at + 2] in ("", " ")]
        assert [at for at, score in enumerate(scores) if score] == ends
        wanted = [of_units(model, said[: at + 1]) - of_units(model, said[:at]) for at in range(len(said))]
        assert [scores[at] for at in ends] == pytest.approx(wanted, abs=1e-5)
