"""Rules applied with places kept."""

import itertools
import sys
import unicodedata
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.text.normalized_text import normalize
from seqpipe.text.rules import TextRule, apply_rules

LATIN = st.text(st.sampled_from("aZéß ,.\t\u3000\u0301\u0308ﬁ²İẞ-Å\u212b日\U0001f600"))
ACROSS = st.text(
    st.sampled_from("ΟΔΣς'.\u00ad\u0345ｶﾞﾊﾟカ\u3099\u1112\u1161\u11ab\uffa1\uffc2한\u09c7\u09be\u0344 \u00a0")
)
TEXTS = st.one_of(LATIN, ACROSS, st.text(st.characters(exclude_categories=["Cs"])))
RULES: list[list[TextRule]] = [
    *([rule] for rule in get_args(TextRule)),
    ["nfkc", "lowercase"],
    ["no_punctuation", "collapse_spaces"],
    ["collapse_spaces", "no_punctuation"],
    ["lowercase", "nfc", "no_punctuation", "collapse_spaces"],
    ["no_punctuation", "nfkc", "uppercase", "nfc", "lowercase"],
]


@pytest.mark.parametrize("rules", RULES, ids=" ".join)
@given(TEXTS)
def test_the_text_is_that_of_the_rules(rules: list[TextRule], text: str) -> None:
    assert normalize(text, rules).text == apply_rules(text, rules)


@pytest.mark.parametrize("rules", [[], *RULES], ids=" ".join)
@given(TEXTS)
def test_places_are_in_order_and_inside(rules: list[TextRule], text: str) -> None:
    found = normalize(text, rules)
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert list(found.starts) == sorted(found.starts)
    assert list(found.ends) == sorted(found.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(found.starts, found.ends, strict=True))


@pytest.mark.parametrize("rule", get_args(TextRule))
@given(TEXTS)
def test_what_stands_at_a_place_is_what_the_character_was_made_of(rule: TextRule, text: str) -> None:
    """Characters of one place are, by themselves, what the rule makes of that stretch (but for a final sigma)."""
    found = normalize(text, [rule])
    for (start, end), group in itertools.groupby(zip(found.starts, found.ends, strict=True)):
        first = list(zip(found.starts, found.ends, strict=True)).index((start, end))
        made = found.text[first : first + len(list(group))]
        if rule == "collapse_spaces" and made == " ":
            assert text[start:end].isspace()
        else:
            assert made.replace("ς", "σ") == apply_rules(text[start:end], [rule]).replace("ς", "σ")


def _compositions() -> Iterator[tuple[str, str]]:
    """Every primary composite of Unicode with its two parts, and the syllables of Hangul."""
    for sign in map(chr, range(sys.maxunicode + 1)):
        parts = unicodedata.normalize("NFD", sign)
        if parts != sign and unicodedata.normalize("NFC", parts) == sign:
            decomposition = unicodedata.decomposition(sign).split()
            pair = "".join(chr(int(part, 16)) for part in decomposition) or parts
            yield pair, sign


COMPOSITIONS = list(_compositions())


def test_all_that_composes() -> None:
    """Each pair between two other letters, and behind one that it might be taken apart from."""
    assert len(COMPOSITIONS) > 940 + 11172 - 1
    for pair, sign in COMPOSITIONS:
        for rule, text in (("nfc", f"a{pair}b"), ("nfkc", f"a{pair}b"), ("nfc", pair * 2), ("nfc", f"{sign}{pair}")):
            assert normalize(text, [rule]).text == apply_rules(text, [rule]), (rule, text)
        found = normalize(f"a{pair}b", ["nfc"])
        end = 1 + len(pair)
        assert found == (f"a{sign}b", [0, 1, end], [1, end, end + 1]), (pair, sign)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("nfkc", "ｶﾞｷﾞ", ("ガギ", [0, 2], [2, 4])),
        ("nfkc", "ﾊﾟｶ", ("パカ", [0, 2], [2, 3])),
        ("nfc", "カ\u3099!", ("ガ!", [0, 2], [2, 3])),
        ("nfkc", "\uffa1\uffc2", ("가", [0], [2])),
        ("nfc", "\u09c7\u09be", ("\u09cb", [0], [2])),
        ("lowercase", "ΟΔΟΣ", ("οδος", [0, 1, 2, 3], [1, 2, 3, 4])),
        ("lowercase", "ΟΣΟΣ Σ", ("οσος σ", [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6])),
        ("lowercase", "İΣ", ("i\u0307ς", [0, 0, 1], [1, 1, 2])),
    ],
)
def test_what_lies_across_characters(rule: TextRule, text: str, expected: tuple[str, list[int], list[int]]) -> None:
    assert normalize(text, [rule]) == expected


def test_parts_have_the_place_of_the_whole() -> None:
    assert normalize("aﬁb", ["nfkc"]) == ("afib", [0, 1, 1, 2], [1, 2, 2, 3])
    assert normalize("ae\u0301b", ["nfc"]) == ("aéb", [0, 1, 3], [1, 3, 4])
    assert normalize("\u1112\u1161\u11ab!", ["nfc"]) == ("한!", [0, 3], [3, 4])
    assert normalize(" a \t b ", ["collapse_spaces"]) == ("a b", [1, 2, 5], [2, 5, 6])


@pytest.mark.parametrize("rules", [[], ["nfc"], ["lowercase"], ["collapse_spaces"]], ids=" ".join)
def test_without_a_change_all_stays(rules: list[TextRule]) -> None:
    text = "é\u0330 x\u0301\u0302 ক\u09be"
    text = unicodedata.normalize("NFC", text)
    found = normalize(text, rules)
    assert found.text == text
    assert list(found.starts) == list(range(len(text)))
    assert list(found.ends) == list(range(1, len(text) + 1))
