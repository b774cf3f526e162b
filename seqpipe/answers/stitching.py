"""The transcripts of a long recording's segments as one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from seqpipe.answers.seam import find_seam
from seqpipe.answers.transcript import Token, Transcript, group_words
from seqpipe.core.input import Segment
from seqpipe.text.units import Units


def stitch(row_id: str, parts: Sequence[tuple[Segment, Transcript]], units: Units) -> Transcript:
    """One transcript out of those of overlapping segments, each word out of the segment that it stands in.

    Two neighbours are put together between two words, as near to the border as can be, so that a word which both have,
    in the same place or nearly, stands there once. Only where the text around a border is a single word for them (as in
    scripts without spaces) is the seam between two tokens. A space that neither had, because silence parts the words,
    is put in, with the confidence of the less certain of its neighbours; units that have no space get none.

    Args:
        row_id: of the whole.
        parts: segments in their order with their transcripts; places counted from the beginning of the file.
        units: what the tokens are units of.

    Returns:
        Text, words and tokens of the whole; no token begins before the one before it ends, or lies outside the
        segments. The confidence is the product of the segments', which is the posterior of the text if the segments are
        taken as independent. It is an approximation: what was cut away in the overlaps counts too, on both sides.
    """
    seams = [_seam(one, other) for one, other in pairwise(parts)]
    tokens: list[Token] = []
    for number, (_, transcript) in enumerate(parts):
        _, first, between_words = seams[number - 1] if number > 0 else (0, 0, False)
        kept = seams[number][0] if number < len(seams) else len(transcript.tokens)
        _append(tokens, transcript.tokens[first:kept], units, between_words=between_words)
    ordered = tuple(_in_order(tokens, parts[0][0].start, parts[-1][0].end))
    numbers = (units.number(token.text) for token in ordered)
    text = units.decode([number for number in numbers if number is not None])
    confidence = math.prod(transcript.confidence for _, transcript in parts)
    return Transcript(row_id, text, confidence, group_words(ordered), ordered)


@dataclass(frozen=True, slots=True)
class _Run:
    """Tokens ``first`` to ``stop`` - 1 of a transcript: a word, or one token."""

    text: str
    start: float
    end: float
    first: int
    stop: int


def _seam(one: tuple[Segment, Transcript], other: tuple[Segment, Transcript]) -> tuple[int, int, bool]:
    """Tokens to keep of the one, the first to take of the other (spaces at the seam on both sides), and whether it
    lies between words."""
    border, overlap = one[0].end, one[0].overlap
    left, right = one[1].tokens, other[1].tokens
    for between_words in (True, False):
        before, after = (_runs(tokens, words=between_words) for tokens in (left, right))
        skipped = sum(run.end <= border - overlap for run in before)
        near = [run for run in after if run.start < border + overlap]
        kept, first, distance = find_seam(before[skipped:], near, border, overlap)
        if distance <= overlap:
            break
    kept += skipped
    return (
        before[kept].first if kept < len(before) else len(left),
        after[first - 1].stop if first > 0 else 0,
        between_words,
    )


def _runs(tokens: Sequence[Token], *, words: bool) -> list[_Run]:
    """The words of a transcript, or its tokens, without the spaces in between."""
    runs: list[_Run] = []
    within = False  # a word that goes on
    for index, token in enumerate(tokens):
        text = token.text.strip()
        if text and words and within and not token.text[:1].isspace():
            runs[-1] = replace(runs[-1], text=runs[-1].text + text, end=token.end, stop=index + 1)
        elif text:
            runs.append(_Run(text, token.start, token.end, index, index + 1))
        within = bool(text) and not token.text[-1:].isspace()
    return runs


def _append(tokens: list[Token], more: Sequence[Token], units: Units, *, between_words: bool) -> None:
    """Add the next segment's tokens, with one space at the seam where one belongs there."""
    if not tokens:
        tokens.extend(more)
        return
    first = next((index for index, token in enumerate(more) if token.text.strip()), None)
    if first is None:
        return
    spaces = list(more[:first])
    while tokens and not tokens[-1].text.strip():
        spaces.insert(0, tokens.pop())
    if tokens and not tokens[-1].text[-1:].isspace() and not more[first].text[:1].isspace():
        if spaces:
            tokens.append(spaces[0])
        elif between_words and units.number(" ") is not None:
            last, following = tokens[-1], more[first]
            tokens.append(Token(" ", last.end, following.start, min(last.confidence, following.confidence)))
    tokens.extend(more[first:])


def _in_order(tokens: Sequence[Token], start: float, end: float) -> Iterator[Token]:
    """Tokens of two segments may differ by a step at a seam: none begins before the one before it ends."""
    for token in tokens:
        begins = min(max(token.start, start), end)
        start = min(max(token.end, begins), end)
        yield replace(token, start=begins, end=start)
