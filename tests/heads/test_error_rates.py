import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.heads.error_rates import ErrorCounts, character_errors, confusions, word_alignment, word_errors

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


def test_confusions_are_counted_and_ordered() -> None:
    references = ["a b c", "a b", "c d", "e"]
    hypotheses = ["a x c", "a x", "c", "e f"]
    assert confusions(references, hypotheses, 10) == [("b", "x", 2), ("", "f", 1), ("d", "", 1)]
    assert confusions(references, hypotheses, 1) == [("b", "x", 2)]
    assert confusions(["abc"], ["adc"], 5, characters=True) == [("b", "d", 1)]
    assert confusions(["a"], ["a"], 5) == []


@given(st.lists(st.tuples(sentences, sentences), min_size=1, max_size=4))
def test_confusions_add_up_to_the_edits(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [said for said, _ in pairs], [heard for _, heard in pairs]
    found = confusions(references, hypotheses, 1000)
    counts = word_errors(references, hypotheses)
    assert sum(count for said, heard, count in found if said and heard) == counts.substitutions
    assert sum(count for said, heard, count in found if not heard) == counts.deletions
    assert sum(count for said, heard, count in found if not said) == counts.insertions


def test_an_alignment_shows_word_under_word() -> None:
    shown = word_alignment("turn left now", "turn right").splitlines()
    assert [line.split() for line in shown] == [
        ["REF:", "turn", "left", "now"],
        ["HYP:", "turn", "right", "***"],
        ["S", "D"],
    ]
