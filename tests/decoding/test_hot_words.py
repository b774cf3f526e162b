from itertools import pairwise

from hypothesis import given, strategies

from seqpipe.decoding.hot_words import HotWords
from seqpipe.decoding.word_spacing import WordSpacing

PIECES = [" ", "a", "b", " a", " b"]
SIZES = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]


def bonus(hot: HotWords, labels: list[int]) -> float:
    state, total = hot.starts[0], 0.0
    for label in labels:
        total += float(hot.gain[state, label])
        state = int(hot.next[state, label])
    return total + float(hot.final[state])


@given(strategies.lists(strategies.integers(1, 3), max_size=14))
def test_at_the_end_whole_phrases_have_their_bonus_and_nothing_else_has(labels: list[int]) -> None:
    hot = HotWords([[[2, 3], [3, 3], [3, 1, 2]]], SIZES, WordSpacing(PIECES), 2.0)
    words = "".join(PIECES[label - 1] for label in labels).split(" ")
    found = sum(word in ("ab", "bb") for word in words) + sum(pair == ("b", "a") for pair in pairwise(words))
    assert abs(bonus(hot, labels) - 4.0 * found) < 1e-9


def test_a_phrase_within_a_longer_one_is_counted_once() -> None:
    hot = HotWords([[[2], [2, 1, 3], [3, 1, 3]]], SIZES, WordSpacing(PIECES), 1.0)  # a, a b, b b
    assert bonus(hot, [2]) == 1.0
    assert bonus(hot, [2, 1, 3]) == 2.0
    assert bonus(hot, [2, 1, 2]) == 2.0
    assert bonus(hot, [3, 1, 3]) == 2.0
    assert bonus(hot, [2, 2]) == 0.0


def test_units_that_begin_with_a_space_are_the_same_text() -> None:
    hot = HotWords([[[4, 3, 5]]], SIZES, WordSpacing(PIECES), 1.0)  # "ab b"
    assert bonus(hot, [4, 3, 5]) == 3.0
    assert bonus(hot, [5, 4, 3, 5, 4]) == 3.0
    assert bonus(hot, [4, 3, 5, 3]) == 0.0


def test_without_spaces_phrases_count_wherever_they_stand() -> None:
    hot = HotWords([[[1, 2]]], [0.0, 1.0, 1.0], WordSpacing(["a", "b"]), 1.0)
    assert bonus(hot, [2, 1, 2, 1]) == 2.0


def test_no_label_is_worth_more_than_is_said() -> None:
    hot = HotWords([[[2, 3], [2, 3, 1, 2]]], SIZES, WordSpacing(PIECES), 0.5)
    assert hot.most == float(hot.gain.max()) == 0.5
