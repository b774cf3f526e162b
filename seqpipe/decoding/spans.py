"""Spans of a tag sequence and their counts, as the CoNLL shared tasks' ``conlleval`` has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

OUTSIDE = "O"
# What stands for a tag at the document boundaries of CoNLL files; conlleval counts nothing there.
BOUNDARY = "-X-"
BILOU = {"L": "E", "U": "S"}


def split_tag(tag: str) -> tuple[str, str]:
    """The prefix and the type: ``"B-PER"`` is ``("B", "PER")``, split at the first hyphen; ``"O"`` is ``("O", "")``.

    BILOU's L and U are read as E and S. A tag without hyphen has the empty type.
    """
    if tag == BOUNDARY:
        return OUTSIDE, ""
    prefix, _, kind = tag.partition("-")
    return BILOU.get(prefix, prefix), kind


def spans_of(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The spans of one sequence in order, each ``(type, first, stop)``: its words are ``first`` to ``stop - 1``.

    IOB1, IOB2, IOBES and BILOU are all read by the rules of conlleval (Tjong Kim Sang & Buchholz 2000), which look at
    pairs of neighbours and refuse nothing: a change of type ends a span and starts another whatever the prefixes, an I-
    after O starts one, and so on. For S, which the script of 2000 doesn't know, and for what follows an E, the rules
    are those of its later versions: an E or S ends its span.

    >>> from seqpipe.decoding.spans import spans_of
    >>> spans_of(["B-PER", "I-PER", "O", "I-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4)]
    """
    spans = []
    previous = (OUTSIDE, "")
    first: int | None = None
    for index, tag in enumerate([*tags, OUTSIDE]):
        current = split_tag(tag)
        # The end of a sequence ends its spans even where no rule does (a tag without prefix or type)
        if first is not None and (ends_between(previous, current) or index == len(tags)):
            spans.append((previous[1], first, index))
            first = None
        if starts_between(previous, current):
            first = index
        previous = current
    return spans


def ends_between(previous: tuple[str, str], current: tuple[str, str]) -> bool:
    """Whether a span ends with the previous tag (conlleval's ``endOfChunk``)."""
    if previous[0] == OUTSIDE:
        return False
    return previous[0] in ("E", "S") or current[0] in ("B", "S", OUTSIDE) or previous[1] != current[1]


def starts_between(previous: tuple[str, str], current: tuple[str, str]) -> bool:
    """Whether a span starts with the current tag (conlleval's ``startOfChunk``)."""
    if current[0] == OUTSIDE:
        return False
    if current[0] in ("B", "S") or previous[1] != current[1]:
        return True
    return current[0] in ("I", "E") and previous[0] in ("E", "S", OUTSIDE)


def broken_spans(tags: Sequence[str]) -> list[tuple[int, str, str]]:
    """Tags that go on with a span (I-, E-) where none of their type is open: position, tag, and the tag before it.

    The tag before the first is ``""``. Sequences in IOB2, IOBES and BILOU have none; in IOB1 they are usual.

    >>> from seqpipe.decoding.spans import broken_spans
    >>> broken_spans(["I-PER", "I-PER", "O", "B-LOC", "I-PER"])
    [(0, 'I-PER', ''), (4, 'I-PER', 'B-LOC')]
    """
    found = []
    before = ""
    for position, tag in enumerate(tags):
        prefix, kind = split_tag(tag)
        open_prefix, open_kind = split_tag(before)
        if prefix in ("I", "E") and (open_prefix not in ("B", "I") or open_kind != kind):
            found.append((position, tag, before))
        before = tag
    return found


def span_counts(
    gold: Iterable[Iterable[tuple[str, int, int]]], answered: Iterable[Iterable[tuple[str, int, int]]]
) -> dict[str, tuple[int, int, int]]:
    """Of each type in alphabetical order: how many spans are correct, how many right ones and answered ones there are.

    Args:
        gold: of each sequence, its right spans.
        answered: of the same sequences in the same order, the answered ones. A span is correct where type, first and
            stop are all equal.

    Raises:
        ValueError: not as many sequences in both.
    """
    correct: Counter[str] = Counter()
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for gold_spans, answered_spans in zip(gold, answered, strict=True):
        gold_set, answered_set = set(gold_spans), set(answered_spans)
        correct.update(kind for kind, _, _ in gold_set & answered_set)
        right.update(kind for kind, _, _ in gold_set)
        given.update(kind for kind, _, _ in answered_set)
    return {kind: (correct[kind], right[kind], given[kind]) for kind in sorted(right.keys() | given.keys())}
