"""A text after the rules of its normalisation, each character with the place that it came from."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from seqpipe.text.rules import TextRule, apply_rules


class NormalizedText(NamedTuple):
    """A normalised text.

    Attributes:
        text: after the rules.
        starts: for each of its characters, the offset in the original of what it was made of.
        ends: where that ends.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def normalize(text: str, rules: Sequence[TextRule]) -> NormalizedText:
    """Apply the rules, keeping places.

    Rules that compose or part characters work within a character and the marks that follow it, so its parts all have
    the place of the whole.

    Example:
        >>> normalize("A  b", ["lowercase", "collapse_spaces"])
        NormalizedText(text='a b', starts=[0, 1, 3], ends=[1, 3, 4])
    """
    if not rules:
        return NormalizedText(text, range(len(text)), range(1, len(text) + 1))
    signs: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    each: list[TextRule] = [rule for rule in rules if rule != "collapse_spaces"]
    for start, end in _clusters(text):
        changed = apply_rules(text[start:end], each)
        signs += changed
        starts += [start] * len(changed)
        ends += [end] * len(changed)
    if "collapse_spaces" in rules:
        signs, starts, ends = _collapsed(signs, starts, ends)
    return NormalizedText("".join(signs), starts, ends)


def _clusters(text: str) -> list[tuple[int, int]]:
    """Each character with the marks behind it; a Korean syllable with its letters."""
    if text.isascii():
        return [(place, place + 1) for place in range(len(text))]
    borders = [place for place, sign in enumerate(text) if place == 0 or not _goes_on(sign)]
    return list(zip(borders, [*borders[1:], len(text)], strict=True))


def _goes_on(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "M" or "\u1160" <= sign <= "\u11ff"


def _collapsed(signs: list[str], starts: list[int], ends: list[int]) -> tuple[list[str], list[int], list[int]]:
    """Runs of white space as one space, none at the ends."""
    kept: list[tuple[str, int, int]] = []
    for is_space, run in groupby(zip(signs, starts, ends, strict=True), key=lambda placed: placed[0].isspace()):
        if not is_space:
            kept += run
        elif kept:
            (_, start, end), *further = run
            kept.append((" ", start, further[-1][2] if further else end))
    if kept and kept[-1][0] == " ":
        kept.pop()
    return [sign for sign, _, _ in kept], [start for _, start, _ in kept], [end for _, _, end in kept]
