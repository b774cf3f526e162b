"""Rules applied with places kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.text.normalized_text import normalize
from seqpipe.text.rules import TextRule, apply_rules

LATIN = st.text(st.sampled_from("aZéß ,.\t\u3000\u0301\u0308ﬁ²İẞ-Å\u212b日\U0001f600"))
RULES: list[list[TextRule]] = [
    ["lowercase"],
    ["uppercase"],
    ["nfc"],
    ["nfkc", "lowercase"],
    ["no_punctuation", "collapse_spaces"],
    ["lowercase", "nfc", "no_punctuation", "collapse_spaces"],
]


@pytest.mark.parametrize("rules", RULES, ids=" ".join)
@given(LATIN)
def test_the_text_is_that_of_the_rules(rules: list[TextRule], text: str) -> None:
    assert normalize(text, rules).text == apply_rules(text, rules)


@pytest.mark.parametrize("rules", [[], *RULES], ids=" ".join)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_places_are_in_order_and_inside(rules: list[TextRule], text: str) -> None:
    found = normalize(text, rules)
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert list(found.starts) == sorted(found.starts)
    assert list(found.ends) == sorted(found.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(found.starts, found.ends, strict=True))


def test_parts_have_the_place_of_the_whole() -> None:
    assert normalize("aﬁb", ["nfkc"]) == ("afib", [0, 1, 1, 2], [1, 2, 2, 3])
    assert normalize("ae\u0301b", ["nfc"]) == ("aéb", [0, 1, 3], [1, 3, 4])
    assert normalize("\u1112\u1161\u11ab!", ["nfc"]) == ("한!", [0, 3], [3, 4])
    assert normalize(" a \t b ", ["collapse_spaces"]) == ("a b", [1, 2, 5], [2, 5, 6])


def test_without_rules_all_stays() -> None:
    found = normalize(" é\u0301 ", [])
    assert (found.text, list(found.starts), list(found.ends)) == (" é\u0301 ", [0, 1, 2, 3], [1, 2, 3, 4])
