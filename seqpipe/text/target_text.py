"""Texts as heads learn to write them: after a recipe's rules, in the order of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqpipe.errors import InputError
from seqpipe.text.bidi import BaseDirection, display_text
from seqpipe.text.rules import TextRule, apply_rules
from seqpipe.text.validity import unfit


def written(text: str, rules: Sequence[TextRule], base_direction: BaseDirection | None) -> str:
    """A text after the rules, in display order if it has a base direction."""
    text = apply_rules(text, rules)
    return text if base_direction is None else display_text(text, base_direction)


def read_written(raw: Any, rules: Sequence[TextRule], base_direction: BaseDirection | None) -> str:
    """The same of what should be a text; raises `InputError` if it is none, or holds what no text has (`unfit`)."""
    if not isinstance(raw, str):
        raise InputError("bad value", f"the target should be text; received {raw!r}")
    if what := unfit(raw):
        raise InputError("bad value", f"the target {what}; received {raw!r:.80}")
    return written(raw, rules, base_direction)
