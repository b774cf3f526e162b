from hypothesis import given
from hypothesis import strategies as st

from seqpipe.decoding.spans import broken_spans, spans_of
from seqpipe.decoding.tag_schemes import convert
from seqpipe.metrics.span_errors import KINDS, find_span_errors

WORDS = ["the", "New", "York", "Times", "of", "London", "wrote"]
tags = st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), min_size=7, max_size=7)


def test_each_kind_of_error_has_its_name() -> None:
    wanted = [("ORG", 1, 4), ("LOC", 5, 6)]
    for answered, kinds in (
        (wanted, []),
        ([], ["missed", "missed"]),
        ([("ORG", 1, 4), ("ORG", 5, 6)], ["wrong type"]),
        ([("ORG", 0, 4), ("LOC", 5, 6)], ["wrong border"]),
        ([("LOC", 1, 3), ("LOC", 5, 6)], ["wrong border and type"]),
        ([*wanted, ("LOC", 6, 7)], ["false"]),
        ([("ORG", 1, 2), ("ORG", 2, 4), ("LOC", 5, 6)], ["wrong border", "false"]),
    ):
        assert [error.kind for error in find_span_errors(WORDS, wanted, answered)] == kinds


def test_an_error_says_what_stands_on_both_sides() -> None:
    (error,) = find_span_errors(WORDS, [("ORG", 1, 4)], [("LOC", 1, 3)])
    assert (error.wanted, error.text) == ("ORG", "New York Times")
    assert (error.answered, error.answered_text) == ("LOC", "New York")


@given(tags, tags)
def test_every_wrong_span_stands_in_one_error(wanted: list[str], answered: list[str]) -> None:
    left, right = spans_of(wanted), spans_of(answered)
    errors = find_span_errors(WORDS, left, right)
    assert sum(error.wanted != "" for error in errors) == len(set(left) - set(right))
    assert sum(error.answered != "" for error in errors) == len(set(right) - set(left))
    assert {error.kind for error in errors} <= set(KINDS)


@given(tags)
def test_a_sequence_is_broken_where_reading_it_as_bio_changes_it(row: list[str]) -> None:
    read = convert(row, "bio")
    broken = [place for place, _, _ in broken_spans(row)]
    assert broken == [place for place, (tag, other) in enumerate(zip(row, read, strict=True)) if tag != other]
    assert broken_spans(convert(row, "bioes")) == []
