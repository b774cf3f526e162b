"""Spans as conlleval counts them; expected results worked out by hand from the script's rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.decoding.spans import span_counts, spans_of, split_tag
from seqpipe.metrics.tagging import TagMetric

Spans = list[tuple[str, int, int]]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param("", [], id="an empty sequence has no spans"),
        pytest.param("O O", [], id="O is outside"),
        pytest.param("B-A I-A O", [("A", 0, 2)], id="IOB2: B starts, I continues, O ends"),
        pytest.param("B-A I-A", [("A", 0, 2)], id="the end of the sequence ends a span"),
        pytest.param("B-A B-A", [("A", 0, 1), ("A", 1, 2)], id="B after B of the same type starts another"),
        pytest.param("I-A B-A", [("A", 0, 1), ("A", 1, 2)], id="IOB1: B after I of the same type starts another"),
        pytest.param("I-A I-A O I-A", [("A", 0, 2), ("A", 3, 4)], id="IOB1: I starts at the beginning and after O"),
        pytest.param("I-A I-B", [("A", 0, 1), ("B", 1, 2)], id="I of another type starts, since types differ"),
        pytest.param(
            "B-A I-B I-B", [("A", 0, 1), ("B", 1, 3)], id="I of another type after B starts, the next continues"
        ),
        pytest.param("B-A B-B", [("A", 0, 1), ("B", 1, 2)], id="B of another type starts"),
        pytest.param("B-A O I-A", [("A", 0, 1), ("A", 2, 3)], id="O between: the I after it starts"),
        pytest.param("B-A I-A E-A", [("A", 0, 3)], id="IOBES: E continues and ends"),
        pytest.param("S-A S-A", [("A", 0, 1), ("A", 1, 2)], id="S is a span of its own"),
        pytest.param("B-A E-A S-B O", [("A", 0, 2), ("B", 2, 3)], id="S after E starts"),
        pytest.param("E-A I-A", [("A", 0, 1), ("A", 1, 2)], id="I after E starts, of the same type too"),
        pytest.param("E-A E-A", [("A", 0, 1), ("A", 1, 2)], id="E after E starts"),
        pytest.param("O E-A", [("A", 1, 2)], id="E after O starts"),
        pytest.param("B-A E-B", [("A", 0, 1), ("B", 1, 2)], id="E of another type starts, since types differ"),
        pytest.param("E-A B-A", [("A", 0, 1), ("A", 1, 2)], id="B after E starts"),
        pytest.param("S-A I-A", [("A", 0, 1), ("A", 1, 2)], id="I after S starts, for S has ended"),
        pytest.param("S-A E-A", [("A", 0, 1), ("A", 1, 2)], id="E after S starts, for S has ended"),
        pytest.param("B-A S-A", [("A", 0, 1), ("A", 1, 2)], id="S ends an open span"),
        pytest.param("I-A S-A", [("A", 0, 1), ("A", 1, 2)], id="S ends an open span after I too"),
        pytest.param("B-A I-A O I-A E-A", [("A", 0, 2), ("A", 3, 5)], id="an open span is ended by O all the same"),
        pytest.param("B-A I-A L-A U-B", [("A", 0, 3), ("B", 3, 4)], id="BILOU: L is E, U is S"),
        pytest.param("B I O B", [("", 0, 2), ("", 3, 4)], id="tags without a type have the empty type"),
        pytest.param("I-A I", [("A", 0, 1), ("", 1, 2)], id="no type is another type than A"),
        pytest.param("PER PER", [], id="after O, an unknown prefix of the empty type starts nothing"),
        pytest.param("B-A PER O", [("A", 0, 1), ("", 1, 2)], id="after a type, it does: types differ"),
        pytest.param("B-A-B I-A-B", [("A-B", 0, 2)], id="the type is what follows the first hyphen"),
        pytest.param("B-A -X- I-A", [("A", 0, 1), ("A", 2, 3)], id="-X- is a boundary, which is outside"),
    ],
)
def test_spans_follow_conlleval(tags: str, expected: Spans) -> None:
    assert spans_of(tags.split()) == expected


@given(st.lists(st.sampled_from([f"{prefix}-{kind}" for prefix in "BIESLU" for kind in "xy"] + ["O", "B", "-X-"])))
def test_spans_lie_in_order_and_cover_exactly_the_tags_that_are_not_outside(tags: list[str]) -> None:
    covered = []
    for kind, first, stop in spans_of(tags):
        assert first < stop
        assert all(split_tag(tag)[1] == kind for tag in tags[first:stop])
        covered += range(first, stop)
    assert covered == [index for index, tag in enumerate(tags) if tag not in ("O", "-X-")]


def test_counts_need_type_and_both_ends_to_be_right() -> None:
    gold: list[Spans] = [[("A", 0, 2), ("B", 3, 4), ("C", 5, 6)], [("A", 0, 1)], []]
    answered: list[Spans] = [[("A", 0, 3), ("B", 3, 4), ("D", 5, 6)], [("A", 0, 1)], [("B", 0, 1)]]
    counts = span_counts(gold, answered)
    assert counts == {"A": (1, 2, 2), "B": (1, 1, 2), "C": (0, 1, 0), "D": (0, 0, 1)}
    assert list(counts) == ["A", "B", "C", "D"]
    assert [sum(column) for column in zip(*counts.values(), strict=True)] == [2, 4, 5]


def test_a_span_counts_in_its_own_sequence_only() -> None:
    assert span_counts([[("A", 0, 1)], []], [[], [("A", 0, 1)]]) == {"A": (0, 1, 1)}
    with pytest.raises(ValueError, match=r"shorter|longer"):
        span_counts([[("A", 0, 1)]], [])


def scores_of(correct: int, gold: int, answered: int) -> dict[str, float]:
    """What the metric of taggings makes of counts of spans, all of them of one type."""
    metric = TagMetric(["B-A", "I-A", "O"], "bio")
    total = np.zeros(len(metric.names), dtype=np.int64)
    total[metric.layout["spans"]] = 2 * [correct, gold, answered]
    return metric.scores(total)


def test_scores_are_in_per_cent() -> None:
    scores = scores_of(correct=2, gold=4, answered=5)
    assert (scores["precision"], scores["recall"]) == (40.0, 50.0)
    assert scores["f1"] == pytest.approx(2 * 40 * 50 / 90)
    assert scores["f1_A"] == scores["f1"]


def test_scores_of_nothing_are_zero() -> None:
    assert span_counts([[]], [[]]) == {}
    for counts in ((0, 0, 0), (0, 3, 0), (0, 0, 3), (0, 2, 2)):
        scores = scores_of(*counts)
        assert (scores["precision"], scores["recall"], scores["f1"]) == (0.0, 0.0, 0.0)
