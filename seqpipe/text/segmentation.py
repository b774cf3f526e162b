"""Where a long text is parted: behind sentences, and long ones behind clauses, else between words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

SENTENCE, CLAUSE = ".!?\u2026\u3002\uff01\uff1f\u0964\u061f", ",;:\u2013\u2014\u3001\uff0c\uff1b\uff1a\u060c\u061b"
WIDE = "\u3002\uff01\uff1f\u3001\uff0c\uff1b\uff1a"
"""Marks of scripts that have no spaces behind them."""
CLOSING = "\"'\u2019\u201d\u00bb)]}\u300d\u300f\uff09"
"""May stand between a mark and the space."""
NEAR = 64
"""Characters around a place that are looked at, so that a text of any length takes time in proportion."""


def share_out_text(text: str, starts: Sequence[int], max_length: int) -> list[tuple[int, int]]:
    """A text in its sentences, and those of more than ``max_length`` tokens in parts of at most so many.

    Such a part ends in the latter half of what it may have, behind a clause, or else between words; only where there is
    no space at all, within one. Sentences aren't put together, since most who write were taught by single ones.

    Args:
        text: whole.
        starts: where each token begins, in characters, in order.
        max_length: at least 1.

    Returns:
        Beginning and end of each part, in characters; together they are the text.

    Example:
        >>> text = "One two. Three four, five six."
        >>> [text[start:end] for start, end in share_out_text(text, [0, 4, 7, 9, 15, 19, 21, 26, 29], 4)]
        ['One two. ', 'Three four, ', 'five six.']
    """
    cuts = [0]
    ranks = [_rank(text, start) for start in starts]
    for end in [*(place for place, rank in enumerate(ranks) if rank == 3 and place), len(starts)]:
        while end - cuts[-1] > max_length:
            among: Sequence[int] = range(cuts[-1] + 1, cuts[-1] + max_length + 1)
            late = [place for place in among if 2 * (place - cuts[-1]) >= max_length]
            if max(ranks[place] for place in late):
                among = late
            cuts.append(max(among, key=lambda place: (ranks[place], place)))
        if end < len(starts):
            cuts.append(end)
    edges = [0, *(starts[place] for place in cuts[1:]), len(text)]
    return list(pairwise(edges))


def _rank(text: str, place: int) -> int:
    """How good a cut before this character is: 3 behind a sentence, 2 behind a clause, 1 between words, else 0."""
    before = text[max(0, place - NEAR) : place]
    spaced = before[-1:].isspace() or text[place : place + 1].isspace()
    mark = before.rstrip().rstrip(CLOSING)[-1:]
    if not mark or not (spaced or mark in WIDE):
        return int(spaced)
    if mark in SENTENCE:
        following = text[place : place + NEAR].lstrip()[:1]
        goes_on = following.islower() or following in (*SENTENCE, *CLAUSE)
        return int(spaced) if goes_on else 3  # "approx. five", "what . . ."
    return 2 if mark in CLAUSE else int(spaced)
