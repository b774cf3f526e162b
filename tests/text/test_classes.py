import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqpipe import DataError, InputError
from seqpipe.text.classes import Classes, class_name


def test_classes_stand_in_the_order_of_the_alphabet_and_numbers_by_value() -> None:
    classes = Classes.learn(["10", "2", "b", "a", "2", "-1", "1.5"])
    assert classes.names == ["-1", "1.5", "2", "10", "a", "b"]
    assert classes.counts == [1, 1, 2, 1, 1, 1]
    assert [classes.number(name) for name in classes.names] == list(range(6))
    assert classes.number("c") is None


@pytest.mark.parametrize(("targets", "said"), [(["a", "a"], "the only one is 'a'"), ([], "there are none")])
def test_one_class_is_nothing_to_tell_apart(targets: list[str], said: str) -> None:
    with pytest.raises(DataError, match=f"two classes or more to tell apart; {said}.*data.target"):
        Classes.learn(targets)


def test_an_unknown_class_is_refused_with_the_nearest_or_all() -> None:
    classes = Classes.learn(["good", "bad"])
    with pytest.raises(InputError, match=r"'goood' is none of the classes .*did you mean good\?") as caught:
        classes.require("goood")
    assert caught.value.kind == "unknown label"
    with pytest.raises(InputError, match="known: bad, good"):
        classes.require("xyz")


def test_sets_of_labels_are_counted_by_row() -> None:
    classes = Classes.learn_sets([["b", "b", "a"], [], ["b"], []])
    assert (classes.names, classes.counts, classes.items) == (["a", "b"], [1, 2], 4)


@pytest.mark.parametrize(
    ("targets", "said"), [([["a"], ["a"]], "all 2 have 'a', and no other"), ([[], []], "none of 2 has any")]
)
def test_labels_that_every_row_has_are_nothing_to_learn(targets: list[list[str]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Classes.learn_sets(targets)
    assert Classes.learn_sets([["a"], []]).names == ["a"]


def test_what_is_saved_is_restored(tmp_path: Path) -> None:
    classes = Classes.learn_sets([["ü", "b"], [], ["b"]])
    classes.save(tmp_path)
    loaded = Classes.load(tmp_path)
    assert loaded.__dict__ == classes.__dict__


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        *((" good ", "good"), (3, "3"), (True, "True"), (2.0, "2"), ("2.0", "2.0"), ("1.5", "1.5")),
        *((np.int64(3), "3"), (np.float32(3), "3"), (np.bool_(False), "False"), (np.str_(" x"), "x")),
        *((Decimal("4.00"), "4"), (datetime.date(2024, 2, 29), "2024-02-29")),
    ],
)
def test_texts_whole_numbers_and_dates_name_classes(raw: Any, name: str) -> None:
    assert class_name(raw) == name


@pytest.mark.parametrize("raw", [1.5, np.float64(1.5), Decimal("1.5")])
def test_a_fraction_is_refused_with_what_it_may_be_meant_for(raw: Any) -> None:
    with pytest.raises(InputError, match=r"should name a class.*written as text.*RegressionHead"):
        class_name(raw)


def test_names_that_float_reads_and_are_no_numbers_stand_in_the_order_of_the_alphabet() -> None:
    for names in (["nan", "10", "9", "inf", "a"], ["a", "inf", "9", "nan", "10"]):
        assert Classes.learn(names).names == ["9", "10", "a", "inf", "nan"]


@pytest.mark.parametrize("raw", ["", "  ", None, float("nan"), float("inf"), Decimal("NaN"), ["a"], {}, b"a"])
def test_anything_else_does_not(raw: Any) -> None:
    with pytest.raises(InputError, match="should name a class") as caught:
        class_name(raw)
    assert caught.value.kind == "bad value"
