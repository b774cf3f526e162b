import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.metrics.error_rates import ErrorCounts, align, character_errors, word_errors

sentences = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join)


def edit_distance(first: list[str], second: list[str]) -> int:
    """Levenshtein's, by its definition."""

    @cache
    def distance(left: int, right: int) -> int:
        if left == 0 or right == 0:
            return left + right
        same = first[left - 1] == second[right - 1]
        return min(
            distance(left - 1, right) + 1, distance(left, right - 1) + 1, distance(left - 1, right - 1) + (not same)
        )

    return distance(len(first), len(second))


@given(st.lists(st.tuples(sentences, sentences), min_size=1, max_size=5))
def test_edits_are_the_least_possible_summed_over_the_corpus(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [said for said, _ in pairs], [heard for _, heard in pairs]
    words, characters = word_errors(references, hypotheses), character_errors(references, hypotheses)
    for counts, split in ((words, str.split), (characters, list)):
        edits = counts.substitutions + counts.deletions + counts.insertions
        assert edits == sum(edit_distance(split(said), split(heard)) for said, heard in pairs)
        assert counts.total == sum(len(split(said)) for said in references)
        assert counts.deletions - counts.insertions == counts.total - sum(len(split(heard)) for heard in hypotheses)


def test_counts_by_hand() -> None:
    references = ["turn left now", "stop", "go on"]
    hypotheses = ["turn right now please", "", "go on"]
    assert word_errors(references, hypotheses) == ErrorCounts(substitutions=1, deletions=1, insertions=1, total=6)
    assert word_errors(references, hypotheses).rate == pytest.approx(50.0)
    assert character_errors(["abc d"], ["abd"]) == ErrorCounts(substitutions=0, deletions=2, insertions=0, total=5)


def test_the_rate_is_of_the_corpus_not_a_mean_of_rates() -> None:
    assert word_errors(["a b c d e f g h i", "x"], ["a b c d e f g h i", "y"]).rate == pytest.approx(10.0)


def test_rates_at_the_edges() -> None:
    assert word_errors(["a"], ["b c d"]).rate == pytest.approx(300.0)
    assert word_errors([""], [""]).rate == 0.0
    assert word_errors([], []).rate == 0.0
    assert math.isinf(word_errors([""], ["a"]).rate)


def test_an_alignment_puts_items_beside_each_other() -> None:
    assert align(["turn left now"], ["turn right"]) == [[("turn", "turn"), ("left", "right"), ("now", "")]]
    assert align(["abc"], ["adc"], characters=True) == [[("a", "a"), ("b", "d"), ("c", "c")]]
    assert align(["a", "", ""], ["", "b", ""]) == [[("a", "")], [("", "b")], []]
    assert align([], []) == []


@given(st.lists(st.tuples(sentences, sentences), min_size=1, max_size=4), st.booleans())
def test_an_alignment_holds_both_sides_whole(pairs: list[tuple[str, str]], characters: bool) -> None:
    references, hypotheses = [said for said, _ in pairs], [heard for _, heard in pairs]
    rows = align(references, hypotheses, characters=characters)
    joint = "" if characters else " "
    assert [joint.join(said for said, _ in row if said) for row in rows] == references
    assert [joint.join(heard for _, heard in row if heard) for row in rows] == hypotheses
