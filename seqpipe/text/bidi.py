"""Display order: where the characters of a text stand from left to right, and back.

Source: Unicode Standard Annex #9, the bidirectional algorithm, revision 50 (Unicode 16): its implicit part. Explicit
directional formatting is left out, as UAX9-C1 allows; such characters stay behind the one that they follow.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Literal

BaseDirection = Literal["auto", "rtl", "ltr"]
"""Of a text as a whole: right to left, left to right, or that of its first strong character (left to right where there
is none). It decides which run stands first, and on which side full stops are."""
STRONG = {"L": "L", "R": "R", "AL": "R"}
NEUTRAL = ("B", "S", "WS", "ON")
ATTACHED = ("NSM", "BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""What stays behind the character that it follows: marks (L3), and what has no direction of its own."""
STOPS = (*".,:;!?…", "\u060c", "\u061b", "\u061f", "\u06d4")
"""What stands at the end of a text rather than at its beginning; Arabic ones too."""
MAX_PAIRS = 63
"""Brackets that may be open within one another (BD16)."""


def display_order(text: str, base: BaseDirection) -> list[int]:
    """Places of a text's characters in the order in which they are displayed, from left to right.

    Marks stand behind the character that they belong to, in both orders.

    Example:
        >>> display_order("ab אב", "ltr")
        [0, 1, 2, 4, 3]
    """
    return _ordered(text, base_level(text, base))[0]


def display_text(text: str, base: BaseDirection) -> str:
    """A text as it is displayed, from left to right; brackets that are mirrored are written as they look.

    Example:
        >>> display_text("(אב) 12", "rtl")
        '12 (בא)'
    """
    return _ordered(text, base_level(text, base))[1]


def logical_order(shown: str, base: BaseDirection) -> list[int]:
    """Places of what is displayed, in the order in which it is read.

    Several texts may be displayed alike (``אב 12 abc`` and ``אב abc 12``, right to left), so this is a choice: of the
    candidates that are displayed so, the first. Those are the algorithm applied to what is displayed; the same from
    right to left; and, with ``auto``, both for each direction, first for the likelier one: that in which a full stop
    stands at the end, else that of most strong characters. If none is displayed so, the first candidate.
    """
    likely = _likely_level(shown) if base == "auto" else int(base == "rtl")
    candidates = [
        candidate
        for level in ((likely, 1 - likely) if base == "auto" else (likely,))
        for candidate in (_ordered(shown, level)[0], _read_backwards(shown, level))
    ]
    for candidate in candidates:
        if display_text(_taken(shown, candidate, base), base) == shown:
            return candidate
    return candidates[0]


def logical_text(shown: str, base: BaseDirection) -> str:
    """The text that is displayed so; see `logical_order`.

    Example:
        >>> logical_text("12 (בא)", "rtl")
        '(אב) 12'
    """
    return _taken(shown, logical_order(shown, base), base)


def logical_characters(shown: str, base: BaseDirection) -> list[tuple[str, int]]:
    """The characters of `logical_text`, each with its place in what is displayed."""
    order = logical_order(shown, base)
    return list(zip(_taken(shown, order, base), order, strict=True))


def right_to_left_share(texts: Sequence[str]) -> float:
    """Share of the strong characters that are written from right to left, 0 to 1; 0 where there are none."""
    strong = [STRONG[kind] for text in texts for kind in map(unicodedata.bidirectional, text) if kind in STRONG]
    return strong.count("R") / len(strong) if strong else 0.0


def base_level(text: str, base: BaseDirection) -> int:
    """1 of a text from right to left, else 0 (P2, P3)."""
    if base != "auto":
        return int(base == "rtl")
    strong = (STRONG[kind] for kind in map(unicodedata.bidirectional, text) if kind in STRONG)
    return int(next(strong, "L") == "R")


def _likely_level(shown: str) -> int:
    """Of what is displayed."""
    left, right = shown[:1] in STOPS, shown[-1:] in STOPS
    return int(left) if left != right else int(right_to_left_share([shown]) >= 0.5)


def _taken(shown: str, order: Sequence[int], base: BaseDirection) -> str:
    """A text out of characters of what is displayed, brackets as they are written in it."""
    text = "".join(shown[place] for place in order)
    levels = _levels(text, base_level(text, base))
    return "".join(_mirrored(sign) if level % 2 else sign for sign, level in zip(text, levels, strict=True))


def _read_backwards(shown: str, level: int) -> list[int]:
    """As the algorithm, but what stands to the right decides about what is to the left of it, as for Arabic numbers."""
    groups = _clusters(shown)
    groups.reverse()
    turned = "".join(_mirrored(shown[group.start]) for group in groups)
    levels = _levels(turned, level)
    order = [groups[at] for at in _reordered([own - level for own in levels] if level else [own + 1 for own in levels])]
    return [place for group in order for place in group]


def _ordered(text: str, level: int) -> tuple[list[int], str]:
    """Places in display order, and what is displayed."""
    groups = _clusters(text)
    levels = _levels("".join(text[group.start] for group in groups), level)
    order: list[int] = []
    shown: list[str] = []
    for at in _reordered(levels):
        group = groups[at]
        order += group
        shown.append(_mirrored(text[group.start]) if levels[at] % 2 else text[group.start])
        shown.append(text[group.start + 1 : group.stop])
    return order, "".join(shown)


def _clusters(text: str) -> list[range]:
    """Characters with what is attached to them, as their places."""
    starts = [at for at, sign in enumerate(text) if at == 0 or unicodedata.bidirectional(sign) not in ATTACHED]
    return [range(start, stop) for start, stop in pairwise([*starts, len(text)])]


def _reordered(levels: Sequence[int]) -> list[int]:
    """Rule L2: from the highest level to 1, runs of that level or above are turned round."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        at = 0
        while at < len(order):
            stop = at
            while stop < len(order) and levels[order[stop]] >= level:
                stop += 1
            order[at:stop] = order[at:stop][::-1]
            at = stop + 1
    return order


def _levels(text: str, base: int) -> list[int]:
    """The level of each character, odd ones being displayed from right to left (W1 to I2, L1)."""
    outside = "R" if base else "L"
    first = [unicodedata.bidirectional(sign) or "L" for sign in text]
    kinds: list[str] = []
    for kind in first:  # W1; at the beginning, and of what is left out, the kind of what is before
        kinds.append((kinds[-1] if kinds else outside) if kind in ATTACHED else kind)
    _resolve_weak(kinds, outside)
    _resolve_brackets(text, kinds, outside)
    _resolve_neutral(kinds, outside)
    raised = {"L": base % 2, "R": 1 - base % 2, "AN": 2 - base % 2, "EN": 2 - base % 2}
    levels = [base + raised[kind] for kind in kinds]
    is_end = True
    for at in range(len(text) - 1, -1, -1):  # L1
        if first[at] in ("B", "S"):
            is_end = True
        elif first[at] != "WS" and first[at] not in ATTACHED:
            is_end = False
        if is_end:
            levels[at] = base
    return levels


def _resolve_weak(kinds: list[str], outside: str) -> None:
    """Rules W2 to W7, in place."""
    strong = outside
    for at, kind in enumerate(kinds):
        if kind in STRONG:
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[at] = "AN"
    kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]
    for at in range(1, len(kinds) - 1):
        before, behind = kinds[at - 1], kinds[at + 1]
        if before == behind and (kinds[at], before) in (("ES", "EN"), ("CS", "EN"), ("CS", "AN")):
            kinds[at] = before
    for start, stop in _runs(kinds, ("ET",)):
        if "EN" in (*kinds[start - 1 : start], *kinds[stop : stop + 1]):
            kinds[start:stop] = ["EN"] * (stop - start)
    strong = outside
    for at, kind in enumerate(kinds):
        if kind in ("ES", "ET", "CS"):
            kinds[at] = "ON"
        elif kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[at] = "L"


def _resolve_brackets(text: str, kinds: list[str], outside: str) -> None:
    """Rule N0, in place: both brackets of a pair go with what is in them."""
    for opening, closing in _pairs(text, kinds):
        inside = {_direction(kind) for kind in kinds[opening + 1 : closing]} - {""}
        if not inside:
            continue
        found = outside
        if outside not in inside:
            before = (_direction(kinds[at]) for at in range(opening - 1, -1, -1))
            found = next(filter(None, before), outside)
        kinds[opening] = kinds[closing] = found


def _resolve_neutral(kinds: list[str], outside: str) -> None:
    """Rules N1 and N2, in place."""
    for start, stop in _runs(kinds, NEUTRAL):
        before = _direction(kinds[start - 1]) if start else outside
        behind = _direction(kinds[stop]) if stop < len(kinds) else outside
        kinds[start:stop] = [before if before == behind else outside] * (stop - start)


def _direction(kind: str) -> str:
    """Of what is strong, or a number, which counts as written from right to left; else nothing."""
    return "R" if kind in ("R", "EN", "AN") else "L" if kind == "L" else ""


def _runs(kinds: list[str], wanted: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where characters of these kinds follow one another."""
    start = None
    for at, kind in enumerate([*kinds, ""]):
        if kind in wanted:
            start = at if start is None else start
        elif start is not None:
            yield start, at
            start = None


def _pairs(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    """Brackets that belong together (BD16), by where they open."""
    opened: list[tuple[str, int]] = []
    found: list[tuple[int, int]] = []
    for at, sign in enumerate(text):
        if kinds[at] != "ON" or unicodedata.category(sign) not in ("Ps", "Pe"):
            continue
        sign = unicodedata.normalize("NFC", sign)  # angle brackets stand in Unicode twice
        other = _mirrored(sign)
        if other == sign:
            continue
        if unicodedata.category(sign) == "Ps":
            if len(opened) == MAX_PAIRS:
                return []
            opened.append((other, at))
            continue
        for depth in range(len(opened) - 1, -1, -1):
            if opened[depth][0] == sign:
                found.append((opened[depth][1], at))
                del opened[depth:]
                break
    return sorted(found)


@cache
def _mirrors() -> dict[str, str]:
    from bidi.mirror import MIRRORED

    return dict(MIRRORED)


def _mirrored(sign: str) -> str:
    """What a character looks like from right to left (L4)."""
    return _mirrors().get(sign, sign) if unicodedata.mirrored(sign) else sign
