"""How text is made comparable before it is learnt and scored."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

TextRule = Literal["lowercase", "uppercase", "nfc", "nfkc", "no_punctuation", "collapse_spaces"]

_WORDING: dict[str, str] = {
    "lowercase": "lower case",
    "uppercase": "upper case",
    "nfc": "Unicode NFC",
    "nfkc": "Unicode NFKC",
    "no_punctuation": "punctuation removed",
    "collapse_spaces": "runs of white space as one space",
}


def apply_rules(text: str, rules: Sequence[TextRule]) -> str:
    """The text with the rules applied in their order.

    Example:
        >>> apply_rules("Turn  LEFT, now!", ["lowercase", "no_punctuation", "collapse_spaces"])
        'turn left now'
    """
    for rule in rules:
        if rule == "lowercase":
            text = text.lower()
        elif rule == "uppercase":
            text = text.upper()
        elif rule == "nfc":
            text = unicodedata.normalize("NFC", text)
        elif rule == "nfkc":
            text = unicodedata.normalize("NFKC", text)
        elif rule == "no_punctuation":
            text = "".join(sign for sign in text if not unicodedata.category(sign).startswith("P"))
        else:
            text = " ".join(text.split())
    return text


def describe_rules(rules: Sequence[TextRule]) -> str:
    """The rules in words, for reports."""
    return ", ".join(_WORDING[rule] for rule in rules) or "text as it stands"
