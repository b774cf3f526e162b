"""What is wrong with answered spans: missed, false, wrong border, wrong type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TaggedSpan = tuple[str, int, int]
"""Type, first word, word behind the last."""

KINDS = ("missed", "false", "wrong border", "wrong type", "wrong border and type")


@dataclass(frozen=True, slots=True)
class SpanError:
    """A span of the reference, of the answer, or one of each in the same place that differ.

    Attributes:
        kind: one of `KINDS`.
        wanted: type of the reference's span; "" for a false one.
        answered: type of the answer's span; "" for a missed one.
        text: words of the reference's span, "" for a false one.
        answered_text: words of the answer's span, "" for a missed one.
    """

    kind: str
    wanted: str
    answered: str
    text: str
    answered_text: str


def find_span_errors(
    words: Sequence[str], wanted: Sequence[TaggedSpan], answered: Sequence[TaggedSpan]
) -> list[SpanError]:
    """Wrong spans of one row, in the order of the words; spans that are equal on both sides are right.

    Each span stands in one error. Of spans that overlap, those with the same borders belong together first, then those
    of the same type, then others, the longest overlap first (the classes of MUC-5; Chinchor & Sundheim 1993).

    Args:
        words: of the row.
        wanted: the reference's spans.
        answered: the answer's.

    Example:
        >>> find_span_errors(["in", "New", "York"], [("LOC", 1, 3)], [("LOC", 2, 3)])[0].kind
        'wrong border'
    """
    left = [span for span in wanted if span not in set(answered)]
    over = [span for span in answered if span not in set(wanted)]
    candidates = sorted(
        (one[1:] != other[1:], one[0] != other[0], -shared, one, other)
        for one in left
        for other in over
        if (shared := min(one[2], other[2]) - max(one[1], other[1])) > 0
    )
    pairs: dict[TaggedSpan, TaggedSpan] = {}
    for _, _, _, one, other in candidates:
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    found = [(span[1], _error(words, span, pairs.get(span))) for span in left]
    found += [(span[1], _error(words, None, span)) for span in over if span not in pairs.values()]
    return [error for _, error in sorted(found, key=lambda item: item[0])]


def _error(words: Sequence[str], wanted: TaggedSpan | None, answered: TaggedSpan | None) -> SpanError:
    if wanted is None or answered is None:
        kind = "false" if wanted is None else "missed"
    elif wanted[1:] == answered[1:]:
        kind = "wrong type"
    else:
        kind = "wrong border" if wanted[0] == answered[0] else "wrong border and type"
    texts = [" ".join(words[span[1] : span[2]]) if span else "" for span in (wanted, answered)]
    return SpanError(kind, wanted[0] if wanted else "", answered[0] if answered else "", *texts)
