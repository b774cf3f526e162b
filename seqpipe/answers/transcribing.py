"""A transcript out of labels and their places, and out of the best texts of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seqpipe.answers.generated_text import TextHypothesis
from seqpipe.answers.transcript import Token, Transcript, group_words
from seqpipe.decoding.ctc_hypothesis import CTCHypothesis
from seqpipe.decoding.ctc_search import RankedTexts
from seqpipe.text.bidi import BaseDirection, logical_characters, logical_text
from seqpipe.text.units import Units


def edges_of(path: CTCHypothesis) -> list[float]:
    """Where labels begin, and then where they end, in steps: a step stands for the time around its centre."""
    return [step - 0.5 for step in (*path.starts, *path.stops)]


def transcribe(
    row_id: str,
    path: CTCHypothesis,
    confidence: float,
    places: Sequence[float],
    units: Units,
    base_direction: BaseDirection | None,
) -> Transcript:
    """Labels as a transcript, in the order in which its text is read.

    Args:
        row_id: of the answer.
        path: labels from 1 on: 0 is the blank.
        confidence: of the whole.
        places: in the input, of `edges_of` the path.
        units: what the labels stand for.
        base_direction: of texts in display order; None of others.
    """
    starts, ends = places[: len(path.starts)], places[len(path.starts) :]
    numbers = [label - 1 for label in path.labels]
    tokens = tuple(
        Token(units.piece(number), start, end, posterior)
        for number, start, end, posterior in zip(numbers, starts, ends, path.posteriors, strict=True)
    )
    text = units.decode(numbers)
    if base_direction is not None:
        read = logical_characters(text, base_direction)
        text = "".join(character for character, _ in read)
        tokens = tuple(replace(tokens[place], text=character) for character, place in read)
    return Transcript(row_id, text, confidence, group_words(tokens), tokens)


def with_alternatives(
    found: Transcript, hypothesis: RankedTexts, units: Units, base_direction: BaseDirection | None
) -> Transcript:
    """The transcript of a search's best labels with what else the search says: scores, and other texts.

    Args:
        found: as `transcribe` gives it.
        hypothesis: of the search.
        units, base_direction: see `transcribe`.
    """
    tokens = found.tokens
    if (scores := hypothesis.language_scores) is not None:
        tokens = tuple(replace(token, language_score=own) for token, own in zip(tokens, scores, strict=True))
    texts: dict[str, TextHypothesis] = {}  # two spellings in units may be one text
    for labels, posterior, score in hypothesis.ranked:
        text = units.decode([label - 1 for label in labels])
        text = text if base_direction is None else logical_text(text, base_direction)
        texts.setdefault(text, TextHypothesis(text, posterior, score))
    alternatives = tuple(texts.values()) if len(hypothesis.ranked) > 1 else ()
    score = hypothesis.ranked[0][2]
    return replace(found, words=group_words(tokens), tokens=tokens, score=score, alternatives=alternatives)
