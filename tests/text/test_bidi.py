"""Display order and back, against python-bidi, and on what is written in Hebrew and Arabic."""

from __future__ import annotations

import pytest
from bidi import get_display
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.text.bidi import (
    BaseDirection,
    display_order,
    display_text,
    logical_characters,
    logical_text,
    right_to_left_share,
)

HEBREW, ARABIC, LATIN = "אבגדהוזחט", "ابتثجحخد", "abcdefgh"
HEBREW_WORD, ARABIC_WORD, LATIN_WORD = (st.text(letters, min_size=1, max_size=6) for letters in (HEBREW, ARABIC, LATIN))
POINTED_WORD = st.lists(st.tuples(st.sampled_from(HEBREW), st.sampled_from(["", "ָ", "ּ", "ְׁ"])), min_size=1).map(
    lambda pairs: "".join(letter + marks for letter, marks in pairs)
)
NUMBER = st.text("0123456789", min_size=1, max_size=4)
ARABIC_NUMBER = st.text("٠١٢٣٤", min_size=1, max_size=4)


def sentence(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    """Parts, one behind the other."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


@pytest.mark.parametrize(
    ("text", "base", "shown"),
    [
        ("abc", "auto", "abc"),
        ("אבג", "auto", "גבא"),
        ("אב 12 גד", "auto", "דג 12 בא"),
        ("אב abc def גד", "auto", "דג abc def בא"),
        ("abc אב", "auto", "abc בא"),
        ("abc אב", "rtl", "בא abc"),
        ("אב!", "auto", "!בא"),
        ("אב!", "ltr", "בא!"),
        ("(אב) [גד]", "rtl", "[דג] (בא)"),
        ("a(b)אב", "rtl", "באa(b)"),  # a pair of brackets goes with what is in it (N0)
        ("عد 12-34", "rtl", "34-12 دع"),  # behind Arabic letters, digits are Arabic numbers (W2)
        ("אב 12-34", "rtl", "12-34 בא"),
        ("אב 50%", "rtl", "50% בא"),
        ("שָׁלוֹם", "rtl", "םוֹלשָׁ"),
        ("אָab", "rtl", "abאָ"),
        ("\u05b8א", "rtl", "א\u05b8"),  # a mark without a letter is one
        ("א\tב", "ltr", "א\tב"),
        ("\u200fab", "auto", "ab\u200f"),  # a mark of direction says it
        ("", "auto", ""),
    ],
)
def test_a_text_is_displayed_as_the_standard_says(text: str, base: BaseDirection, shown: str) -> None:
    assert display_text(text, base) == shown
    assert sorted(display_order(text, base)) == list(range(len(text)))


@settings(max_examples=400, deadline=None)
@given(st.text("abאבעד12٣٤ .,:-+$%()[]{}<>/!?\t", max_size=16), st.sampled_from(["rtl", "ltr"]))
def test_the_order_is_that_of_python_bidi(text: str, base: BaseDirection) -> None:
    if right_to_left_share([text]) == 0:
        return  # what has no letter from right to left, python-bidi leaves as it is, tabs too
    order = display_order(text, base)
    assert "".join(text[place] for place in order) == get_display(text, base_dir="R" if base == "rtl" else "L")


READ_BACK = {
    "Hebrew": sentence(HEBREW_WORD, " ", HEBREW_WORD, ", ", HEBREW_WORD, "."),
    "Hebrew with points": sentence(POINTED_WORD, " ", POINTED_WORD, "-", POINTED_WORD),
    "brackets": sentence(HEBREW_WORD, " (", HEBREW_WORD, ' ) "', HEBREW_WORD, '" [', HEBREW_WORD, "]"),
    "numbers": sentence(HEBREW_WORD, " ", NUMBER, "-", NUMBER, ", ", NUMBER, "% ", HEBREW_WORD, " ", NUMBER, "."),
    "Latin words": sentence(HEBREW_WORD, " ", LATIN_WORD, " ", LATIN_WORD, ", ", HEBREW_WORD, " (", LATIN_WORD, ")."),
    "a number behind a Latin word": sentence(HEBREW_WORD, " ", LATIN_WORD, " ", NUMBER, " ", HEBREW_WORD),
    "Arabic": sentence(ARABIC_WORD, "، ", ARABIC_WORD, " ", ARABIC_WORD, "؟"),
    "Arabic numbers": sentence(ARABIC_WORD, " ", ARABIC_NUMBER, "/", ARABIC_NUMBER, " ", ARABIC_WORD),
    "digits in Arabic": sentence(ARABIC_WORD, " ", NUMBER, "-", NUMBER, " ", ARABIC_WORD, " ", NUMBER, "."),
    "Latin": sentence(LATIN_WORD, " (", LATIN_WORD, ") ", NUMBER, "-", NUMBER, "."),
}


@pytest.mark.parametrize("kind", READ_BACK)
@pytest.mark.parametrize("base", ["auto", "rtl"])
def test_what_people_write_is_read_back(kind: str, base: BaseDirection) -> None:
    @settings(max_examples=60, deadline=None)
    @given(READ_BACK[kind])
    def reads_back(text: str) -> None:
        shown = display_text(text, base)
        assert logical_text(shown, base) == text

    reads_back()


@settings(max_examples=300, deadline=None)
@given(st.text("abאבעד12٣٤ .,:-+$%()[]<>ָ\t\u200f\u2067", max_size=16), st.sampled_from(["auto", "rtl", "ltr"]))
def test_whatever_is_displayed_has_a_reading(shown: str, base: BaseDirection) -> None:
    found = logical_characters(shown, base)
    assert sorted(place for _, place in found) == list(range(len(shown)))
    assert "".join(character for character, _ in found) == logical_text(shown, base)


def test_texts_that_look_alike_have_one_reading() -> None:
    assert display_text("אב 12 abc גד", "rtl") == display_text("אב abc 12 גד", "rtl") == "דג abc 12 בא"
    assert logical_text("דג abc 12 בא", "rtl") == "אב abc 12 גד"


def test_without_a_direction_the_likelier_one_is_taken() -> None:
    assert display_text("אב hello", "auto") == display_text("hello אב", "auto") == "hello בא"
    assert logical_text("hello בא", "auto") == "hello אב"  # more letters
    assert logical_text("hi דגבא", "auto") == "אבגד hi"
    assert logical_text(".hello בא", "auto") == "אב hello."  # where the full stop is the end
    assert logical_text("hi דגבא.", "auto") == "hi אבגד."


def test_the_share_is_of_letters() -> None:
    assert right_to_left_share(["אב 12 !", "ab"]) == 0.5
    assert right_to_left_share(["12", ""]) == 0.0
