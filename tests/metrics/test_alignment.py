import math
import sys
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.metrics.alignment import align
from seqpipe.metrics.transcription import TranscriptionMetric


@dataclass(frozen=True)
class ErrorCounts:
    """Edits that turn references into hypotheses, summed over a corpus, and items of the references."""

    substitutions: int
    deletions: int
    insertions: int
    total: int


def errors(references: list[str], hypotheses: list[str], *, characters: bool = False) -> ErrorCounts:
    """The edits of an alignment."""
    pairs = [pair for row in align(references, hypotheses, characters=characters) for pair in row]
    return ErrorCounts(
        substitutions=sum(bool(said and heard) and said != heard for said, heard in pairs),
        deletions=sum(not heard for _, heard in pairs),
        insertions=sum(not said for said, _ in pairs),
        total=sum(bool(said) for said, _ in pairs),
    )


def rate(references: list[str], hypotheses: list[str]) -> float:
    """The word error rate of a corpus."""
    metric = TranscriptionMetric()
    return metric.scores(metric._count(references, hypotheses).sum(axis=0))["wer"]


WHITE_SPACE = "".join(sign for sign in map(chr, range(sys.maxunicode + 1)) if sign.isspace())
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
    words, characters = errors(references, hypotheses), errors(references, hypotheses, characters=True)
    for counts, split in ((words, str.split), (characters, list)):
        edits = counts.substitutions + counts.deletions + counts.insertions
        assert edits == sum(edit_distance(split(said), split(heard)) for said, heard in pairs)
        assert counts.total == sum(len(split(said)) for said in references)
        assert counts.deletions - counts.insertions == counts.total - sum(len(split(heard)) for heard in hypotheses)


@given(
    st.lists(st.tuples(st.text("ab", min_size=1), st.text(WHITE_SPACE, min_size=1)), max_size=5), st.text(WHITE_SPACE)
)
def test_words_part_at_all_white_space(spaced: list[tuple[str, str]], before: str) -> None:
    words = [word for word, _ in spaced]
    text = before + "".join(word + space for word, space in spaced)
    assert align([text], [" ".join(words)]) == align([" ".join(words)], [text]) == [[(word, word) for word in words]]
    assert errors([text], [""]).total == len(words)


def test_a_no_break_space_parts_words_and_a_zero_width_one_does_not() -> None:
    assert errors(["a\u00a0b"], ["a b"]) == ErrorCounts(substitutions=0, deletions=0, insertions=0, total=2)
    assert errors(["a b"], ["a\u2009\t b\u3000"]) == ErrorCounts(substitutions=0, deletions=0, insertions=0, total=2)
    assert errors(["a\u200bb"], ["a b"]) == ErrorCounts(substitutions=1, deletions=0, insertions=1, total=1)


def test_counts_by_hand() -> None:
    references = ["turn left now", "stop", "go on"]
    hypotheses = ["turn right now please", "", "go on"]
    assert errors(references, hypotheses) == ErrorCounts(substitutions=1, deletions=1, insertions=1, total=6)
    assert rate(references, hypotheses) == pytest.approx(50.0)
    characters = errors(["abc d"], ["abd"], characters=True)
    assert characters == ErrorCounts(substitutions=0, deletions=2, insertions=0, total=5)


def test_the_rate_is_of_the_corpus_not_a_mean_of_rates() -> None:
    assert rate(["a b c d e f g h i", "x"], ["a b c d e f g h i", "y"]) == pytest.approx(10.0)


def test_rates_at_the_edges() -> None:
    assert rate(["a"], ["b c d"]) == pytest.approx(300.0)
    assert rate([""], [""]) == 0.0
    assert rate([], []) == 0.0
    assert math.isinf(rate([""], ["a"]))


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
