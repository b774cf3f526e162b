from dataclasses import dataclass
from typing import Any

import pytest

from seqpipe.evaluation.scores.item_errors import NOTHING, character_matrix, item_errors

PAIRS = [
    [("h", "n"), ("a", "a"), ("t", "t"), ("s", "")],
    [("h", "n"), ("e", "c"), (" ", ""), ("a", "a"), ("", "u")],
    [("h", "h"), ("h", "b"), ("s", "s"), ("", "u"), ("", "a")],
]


@dataclass
class Answered:
    """What of an evaluation is counted."""

    aligned: dict[str, Any]


@pytest.fixture
def found() -> Any:
    """Eleven characters of which six are right, and three too many."""
    return Answered({"characters": PAIRS})


def test_errors_are_counted_by_kind_with_their_shares(found: Any) -> None:
    errors = item_errors(found, "characters")
    assert errors.totals == {"substitutions": 4, "deletions": 2, "insertions": 3}
    assert errors.total == 9
    first = errors.substitutions[0]
    assert (first.said, first.heard, first.count) == ("h", "n", 2)
    assert first.share == pytest.approx(2 / 9)
    assert first.rate == pytest.approx(2 / 4)
    assert [(error.said, error.rate) for error in errors.deletions] == [(" ", 1.0), ("s", 0.5)]
    assert [(error.heard, error.count, error.rate) for error in errors.insertions] == [("u", 2, None), ("a", 1, None)]
    assert sum(error.share for error in errors.every) == pytest.approx(1)
    assert [error.count for error in item_errors(found, "characters", 2).every] == [2, 2]
    right = item_errors(Answered({"words": [[("on", "on")]]}), "words")  # type: ignore[arg-type]
    assert (right.total, right.every) == (0, [])


def test_a_matrix_holds_all_that_was_said_and_answered(found: Any) -> None:
    matrix = character_matrix(found)
    assert matrix is not None
    assert matrix.references == matrix.answers == ["␣", "a", "b", "c", "e", "h", "n", "s", "u", NOTHING]
    cell = {
        (said, heard): int(matrix.counts[row, column])
        for row, said in enumerate(matrix.references)
        for column, heard in enumerate(matrix.answers)
        if matrix.counts[row, column]
    }
    assert cell == {
        ("h", "n"): 2,
        ("a", "a"): 2,
        ("s", NOTHING): 1,
        ("e", "c"): 1,
        ("␣", NOTHING): 1,
        (NOTHING, "u"): 2,
        ("h", "h"): 1,
        ("h", "b"): 1,
        ("s", "s"): 1,
        (NOTHING, "a"): 1,
    }
    assert matrix.totals.tolist() == [1, 2, 0, 0, 1, 4, 0, 2, 0, 3]
    few = character_matrix(found, most=2)
    assert few is not None
    assert set(few.references) == {"h", "n", NOTHING} or set(few.references) == {"h", "u", NOTHING}
    assert few.left_out == 7


def test_there_is_no_matrix_of_what_is_not_spelt_or_all_right() -> None:
    assert character_matrix(Answered({"classes": [[("a", "b")]]})) is None  # type: ignore[arg-type]
    assert character_matrix(Answered({"characters": [[("a", "a")]]})) is None  # type: ignore[arg-type]
