import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.text.rules import TextRule, apply_rules, describe_rules

RULES = get_args(TextRule)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("lowercase", "Turn LEFT Ärger", "turn left ärger"),
        ("uppercase", "turn straße", "TURN STRASSE"),
        ("nfc", "e\u0301", "é"),
        ("nfkc", "ﬁ Ｆ ²", "fi F 2"),
        ("no_punctuation", "«Don't», she said — 3+4: ok…", "Dont she said  3+4 ok"),
        ("collapse_spaces", "  a\t b\n\nc ", "a b c"),
    ],
)
def test_each_rule(rule: TextRule, text: str, expected: str) -> None:
    assert apply_rules(text, [rule]) == expected


def test_every_rule_is_listed_and_worded() -> None:
    assert len(RULES) == 6
    assert describe_rules(RULES).count(",") == 5
    assert describe_rules([]) == "text as it stands"
    assert describe_rules(["nfc", "lowercase"]) == "Unicode NFC, lower case"


def test_order_matters() -> None:
    assert apply_rules("a - b", ["collapse_spaces", "no_punctuation"]) == "a  b"
    assert apply_rules("a - b", ["no_punctuation", "collapse_spaces"]) == "a b"


@given(st.text(max_size=30))
def test_rules_applied_twice_change_nothing_more(text: str) -> None:
    for rule in ("nfc", "nfkc", "no_punctuation", "collapse_spaces"):
        once = apply_rules(text, [rule])
        assert apply_rules(once, [rule]) == once
    assert apply_rules(text, []) == text
    assert not any(unicodedata.category(sign)[0] == "P" for sign in apply_rules(text, ["no_punctuation"]))
