"""Starter pairs: numbers and days in words, parted by their values."""

import datetime

import pytest

pytest.importorskip("num2words")
pytest.importorskip("babel")

from seqpipe.data.starter import translation as starter_translation
from seqpipe.data.starter.translation import LANGUAGES, PARTS, day_in_words, in_words, made_pairs, part_of


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter_translation, "COUNTS", {"train": 300, "dev": 40, "test": 60})


@pytest.mark.usefixtures("few")
def test_no_value_is_in_two_parts() -> None:
    values = [{(pair.kind.split()[-1], pair.value) for pair in made_pairs(part)} for part in PARTS]
    for first in range(3):
        for second in range(first):
            assert not values[first] & values[second]


@pytest.mark.usefixtures("few")
def test_pairs_are_a_function_of_their_number() -> None:
    assert list(made_pairs("dev")) == list(made_pairs("dev"))
    assert len({pair.source for pair in made_pairs("train")}) == 300


@pytest.mark.usefixtures("few")
def test_the_language_that_is_wanted_stands_in_front_and_is_another() -> None:
    for pair in made_pairs("test"):
        wanted = pair.source[1:3]
        if pair.kind in ("number", "ordinal"):
            assert pair.target == in_words(int(pair.value), wanted, pair.kind)
            others = [in_words(int(pair.value), each, pair.kind) for each in LANGUAGES if each != wanted]
            assert pair.source[5:] in others
        else:
            assert pair.target == day_in_words(datetime.date.fromisoformat(pair.value), wanted)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Monday, March third, nineteen ninety-seven"),
        ("de", "Montag, dritter M\u00e4rz neunzehnhundertsiebenundneunzig"),
        ("fr", "lundi trois mars mille neuf cent quatre-vingt-dix-sept"),
    ],
)
def test_days_in_words(language: str, words: str) -> None:
    assert day_in_words(datetime.date(1997, 3, 3), language) == words


def test_small_numbers_train_and_the_first_of_a_month_is_premier() -> None:
    assert {part_of("number", value) for value in range(1, 100)} == {"train"}
    assert {part_of("ordinal", value) for value in range(100, 400)} == set(PARTS)
    assert day_in_words(datetime.date(2000, 5, 1), "fr").startswith("lundi premier mai")
