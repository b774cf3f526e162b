from hypothesis import given
from hypothesis import strategies as st

from seqpipe.evaluation.scores.table import alignment_lines

words = st.sampled_from(["", "a", "bb", "a longer one"])


def test_an_alignment_shows_item_under_item() -> None:
    shown = alignment_lines([("turn", "turn"), ("left", "right"), ("now", ""), ("", "please")])
    assert [line.split() for line in shown] == [
        ["REF:", "turn", "left", "now", "******"],
        ["HYP:", "turn", "right", "***", "please"],
        ["S", "D", "I"],
    ]
    assert alignment_lines([]) == ["REF:", "HYP:", ""]


@given(st.lists(st.tuples(words, words).filter(any), min_size=1, max_size=5))
def test_marks_stand_under_what_they_mark(pairs: list[tuple[str, str]]) -> None:
    said, heard, marks = alignment_lines(pairs)
    place = 5
    for left, right in pairs:
        width = max(len(left), len(right))
        cells = [line.ljust(200)[place : place + width].strip() for line in (said, heard, marks)]
        expected = "" if left == right else "I" if not left else "D" if not right else "S"
        assert cells == [left or "*" * width, right or "*" * width, expected]
        place += width + 1


def test_words_stand_above_what_is_said_of_them() -> None:
    assert alignment_lines([("B-LOC", "O"), ("O", "O")], ["Paris", "is a long one"]) == [
        "     Paris is a long one",
        "REF: B-LOC O",
        "HYP: O     O",
        "     S",
    ]
