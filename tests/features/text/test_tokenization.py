"""Texts as numbers without torch: what is kept of runs of words changes nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.errors import InputError
from seqpipe.features.text.tokenization import LONGEST_MET, MAX_MET, Tokenization
from seqpipe.text.vocabulary import Vocabulary

SIGNS = st.sampled_from(
    [
        *"aBéß ,'3.@_-:)/n't\n\u3000\u00a0\x1f",
        "don't ",
        "U.S. ",
        "www.a.b/c?d ",
        "#tag ",
        "\u0301",
        "\u200d",
        "\U0001f44d",
    ]
)
TEXTS = st.one_of(st.lists(SIGNS, min_size=1).map("".join), st.text())
ENTRIES = ["a", "b", "b3", ",", "do", "n't", "u.s.", "#tag", "'", "aa", "."]


def tokenization(**options: Any) -> Tokenization:
    made = Tokenization("words", options.pop("split", "whitespace"), options.pop("rules", ["lowercase"]), **options)
    made.use(Vocabulary(ENTRIES, [1] * len(ENTRIES)), Vocabulary(list("abt'"), [1] * 4))
    return made


@pytest.mark.parametrize("split", ["whitespace", "punctuation", "signs"])
@pytest.mark.parametrize("rules", [["lowercase"], ["nfkc", "no_punctuation"]])
@pytest.mark.parametrize("characters", [0, 3])
@given(text=TEXTS)
def test_no_word_depends_on_what_is_beyond_white_space(split: Any, rules: Any, characters: int, text: str) -> None:
    """A string's runs between white space are looked up by themselves; its words with their places, as a whole."""
    tokens = tokenization(split=split, rules=rules, characters=characters)
    try:
        items = tokens.items(text)
    except InputError as error:
        with pytest.raises(InputError, match=str(error)[:20]):
            tokens.prepare(text)
        return
    for _ in range(2):  # the second time from what was kept
        rows = tokens.prepare(text).reshape(len(items), 1 + characters)
        assert rows.tolist() == [tokens._word(item.text).tolist() for item in items]


def test_a_long_run_and_many_words_are_not_kept() -> None:
    tokens = tokenization()
    tokens.prepare("x" * (LONGEST_MET + 1))
    assert not tokens._runs_met
    for number in range(MAX_MET + 10):
        tokens.prepare(str(number))
    assert len(tokens._runs_met) == 10
    assert tokens.prepare("a 7 b").tolist() == [1, 0, 2]


def test_what_was_kept_is_forgotten_with_another_vocabulary() -> None:
    tokens = tokenization()
    assert tokens.prepare("a b").tolist() == [1, 2]
    tokens.use(Vocabulary(["b"], [1]))
    assert tokens.prepare("a b").tolist() == [0, 1]


def test_whoever_writes_into_numbers_changes_no_later_ones() -> None:
    tokens = tokenization(characters=2)
    for text in ("a", "a b"):
        before = tokens.prepare(text).copy()
        tokens.prepare(text)[:] = 9
        assert np.array_equal(tokens.prepare(text), before)
