"""How text is made comparable before it is learnt and scored."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal
from unicodedata import category

from seqpipe.text.splitting import words_of

TextRule = Literal["lowercase", "uppercase", "nfc", "nfkc", "no_punctuation", "collapse_spaces"]

_RULES: dict[str, tuple[str, Callable[[str], str]]] = {
    "lowercase": ("lower case", str.lower),
    "uppercase": ("upper case", str.upper),
    "nfc": ("Unicode NFC", partial(unicodedata.normalize, "NFC")),
    "nfkc": ("Unicode NFKC", partial(unicodedata.normalize, "NFKC")),
    "no_punctuation": ("punctuation removed", lambda text: "".join(s for s in text if category(s)[0] != "P")),
    "collapse_spaces": ("runs of white space as one space", lambda text: " ".join(words_of(text))),
}
"""What each is called in reports, and does."""


def apply_rules(text: str, rules: Sequence[TextRule]) -> str:
    """The text with the rules applied in their order.

    Example:
        >>> apply_rules("Turn  LEFT, now!", ["lowercase", "no_punctuation", "collapse_spaces"])
        'turn left now'
    """
    for rule in rules:
        text = _RULES[rule][1](text)
    return text


def describe_rules(rules: Sequence[TextRule]) -> str:
    """The rules in words, for reports."""
    return ", ".join(_RULES[rule][0] for rule in rules) or "text as it stands"
