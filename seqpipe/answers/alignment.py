"""What aligning a text with an input answers: the places of its words and units, and whether it is there at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.transcript import Token
from seqpipe.core.answer import Answer, Mark
from seqpipe.decoding.ctc_alignment import CTCPath
from seqpipe.text.spelling import Spelling

PAUSE_STEPS = 8
"""Between two words: what is more is silence that neither of them has (0.24 s at 30 ms a step)."""
BORDER = 0.5
"""Where in the blanks and the space between two words their border lies, from the end of the one."""
THRESHOLD = -1.5
"""Nats a unit: what is less likely than free decoding by more than that is not in the input."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well a stretch of text goes with the steps that it is aligned with.

    Attributes:
        score: mean log-probability of its units, over the steps of each; 0 at best. None where nothing is spelt.
        ratio: logarithm of the likelihood ratio of the text's path to free decoding over the same steps, divided by the
            number of units; 0 where free decoding says the same.
        found: whether the ratio is at least the threshold; None where nothing is spelt.
    """

    score: float | None
    ratio: float | None
    found: bool | None

    def to_json(self) -> dict[str, Any]:
        """Numbers rounded to 4 digits."""
        rounded = (None if value is None else round(value, 4) for value in (self.score, self.ratio))
        return {**dict(zip(("score", "ratio"), rounded, strict=True)), "found": self.found}


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A word of the text, as it was written.

    Attributes:
        text: between white space.
        start: where it begins, in the unit of the input (seconds for audio).
        end: where it ends.
        verdict: on the word.
        bridged: nothing of it can be spelt in the model's units (``7``, ``%``): its place is what its neighbours leave.
    """

    text: str
    start: float
    end: float
    verdict: Verdict
    bridged: bool

    def to_json(self) -> dict[str, Any]:
        """Places rounded to 0.1 ms; ``bridged`` only where it is so."""
        places = {"text": self.text, "start": round(self.start, 4), "end": round(self.end, 4)}
        return {**places, **self.verdict.to_json(), **({"bridged": True} if self.bridged else {})}


@dataclass(frozen=True, slots=True)
class AlignedLine:
    """A line of the text, or a cue of subtitles, from its first word to its last one."""

    text: str
    start: float
    end: float
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """As a word's."""
        places = {"text": self.text, "start": round(self.start, 4), "end": round(self.end, 4)}
        return {**places, **self.verdict.to_json()}


@dataclass(frozen=True, slots=True)
class Alignment(Answer):
    """A text with its places in an input.

    Attributes:
        id: of the row.
        text: as it was given.
        confidence: the geometric mean of its units' probabilities, 0 to 1: the exponential of the score.
        verdict: on the whole.
        words: with places, all of them, in their order.
        length: where the input ends.
        tokens: the units, in the order of the input, each with the mean of its probability over its steps.
        lines: of a text of several; cues of subtitles.
        subtitles: whether the lines are cues.
    """

    id: str
    text: str
    confidence: float
    verdict: Verdict
    words: tuple[AlignedWord, ...]
    tokens: tuple[Token, ...]
    length: float = 0.0
    lines: tuple[AlignedLine, ...] = ()
    subtitles: bool = False

    @property
    def marks(self) -> list[Mark]:
        """The tokens."""
        return [Mark(token.text, token.start, token.end, token.confidence) for token in self.tokens]

    def to_json(self) -> dict[str, Any]:
        """One JSON object; places rounded to 0.1 ms, probabilities to 6 digits."""
        lines = {"lines": [line.to_json() for line in self.lines]} if self.lines else {}
        return {
            "id": self.id,
            "text": self.text,
            "confidence": round(self.confidence, 6),
            "length": round(self.length, 4),
            **self.verdict.to_json(),
            "words": [word.to_json() for word in self.words],
            "tokens": [
                {
                    "text": token.text,
                    "start": round(token.start, 4),
                    "end": round(token.end, 4),
                    "confidence": round(token.confidence, 6),
                }
                for token in self.tokens
            ],
            **lines,
            **({"subtitles": True} if self.subtitles else {}),
        }


def alignment(
    row_id: str, spelling: Spelling, path: CTCPath, borders: NDArray[np.float64], *, threshold: float = THRESHOLD
) -> Alignment:
    """The answer out of a path.

    Two words share the blanks and the space between them: CTC says where a unit is and hardly where it ends, and in
    speech that flows the one begins where the other ends. Of a pause longer than `PAUSE_STEPS`, each has half of that.

    Args:
        row_id: of the row.
        spelling: of the text.
        path: of its labels.
        borders: of the steps, as places in the input, ``[T + 1]``.
        threshold: see `Verdict`.
    """
    steps = len(borders) - 1
    sums = _Sums(spelling, path)
    spans, bridged = _word_spans(spelling, path.starts, path.stops, steps, PAUSE_STEPS, PAUSE_STEPS)
    at = np.interp(np.array(spans).reshape(-1), np.arange(steps + 1), borders).reshape(-1, 2).tolist()
    # Of what is written from right to left in an image, the first unit ends last.
    words = tuple(
        AlignedWord(word.text, start, end, sums.verdict(number, number + 1, threshold), number in bridged)
        for number, (word, (start, end)) in enumerate(zip(spelling.words, at, strict=True))
    )
    starts, ends = borders[path.starts].tolist(), borders[path.stops].tolist()
    tokens = tuple(map(Token, spelling.pieces, starts, ends, sums.posteriors.tolist()))
    whole = sums.verdict(0, len(words), threshold)
    return Alignment(row_id, spelling.text, math.exp(whole.score or 0.0), whole, words, tokens, float(borders[-1]))


def with_spans(
    found: Alignment,
    spelling: Spelling,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    borders: NDArray[np.float64],
) -> Alignment:
    """An alignment with other places, of its units and its words.

    Between two words their border lies half-way; what is before the first and behind the last is neither's.

    Args:
        found: without lines.
        spelling: of its text.
        starts: first frame of each label, ``[L]``.
        stops: frame behind its last one, ``[L]``.
        borders: of the frames, as places in the input, ``[F + 1]``.
    """
    total = len(borders) - 1
    spans, _ = _word_spans(spelling, starts, stops, total, total, 0)
    at = np.interp(np.array(spans).reshape(-1), np.arange(total + 1), borders).reshape(-1, 2).tolist()
    words = tuple(replace(word, start=start, end=end) for word, (start, end) in zip(found.words, at, strict=True))
    units = zip(found.tokens, borders[starts].tolist(), borders[stops].tolist(), strict=True)
    return replace(
        found, words=words, tokens=tuple(replace(token, start=start, end=end) for token, start, end in units)
    )


def with_lines(
    found: Alignment, lines: Sequence[tuple[int, int]], threshold: float = THRESHOLD, *, subtitles: bool = False
) -> Alignment:
    """An alignment with the places of lines, given as offsets in the text; a line without words has none."""
    made, word = [], 0
    for start, end in lines:
        count = len(found.text[start:end].split())
        own = found.words[word : word + count]
        word += count
        if own:
            first, last = min(each.start for each in own), max(each.end for each in own)
            made.append(AlignedLine(found.text[start:end], first, last, _together(own, threshold)))
    return replace(found, lines=tuple(made), subtitles=subtitles)


def _together(words: Sequence[AlignedWord], threshold: float) -> Verdict:
    """The verdict on several words, each counted by its characters."""
    judged = [(len(word.text), word.verdict) for word in words if word.verdict.ratio is not None]
    count = sum(length for length, _ in judged)
    if not count:
        return Verdict(None, None, None)
    score = sum(length * (own.score or 0.0) for length, own in judged) / count
    ratio = sum(length * (own.ratio or 0.0) for length, own in judged) / count
    return Verdict(score, ratio, ratio >= threshold)


class _Sums:
    """What verdicts on any stretch of words are made of: sums over the labels of each word."""

    def __init__(self, spelling: Spelling, path: CTCPath) -> None:
        count = len(spelling.words)
        labels, lengths = np.asarray(spelling.labels), path.stops - path.starts
        known = labels != spelling.wildcard
        owners = np.array([-1 if owner is None else owner for owner in spelling.owners])
        logs = np.concatenate([[0.0], np.cumsum(path.log_probabilities)])
        probabilities = np.concatenate([[0.0], np.cumsum(np.exp(path.log_probabilities))])
        means = (logs[path.stops] - logs[path.starts]) / lengths
        self.posteriors = np.clip((probabilities[path.stops] - probabilities[path.starts]) / lengths, 0.0, 1.0)
        self.posteriors[~known] = 0.0
        # Free decoding over a label's steps, and over the blanks before it that are within its word.
        gains = np.concatenate([[0.0], np.cumsum(path.log_probabilities - path.best)])
        begins = path.starts.copy()
        inner = np.flatnonzero((owners[1:] == owners[:-1]) & (owners[1:] >= 0)) + 1
        begins[inner] = path.stops[inner - 1]
        ratios = gains[path.stops] - gains[begins]
        own = known & (owners >= 0)
        self.counts = np.bincount(owners[own], minlength=count)
        self.scores = np.bincount(owners[own], means[own], minlength=count)
        self.ratios = np.bincount(owners[own], ratios[own], minlength=count)

    def verdict(self, start: int, stop: int, threshold: float) -> Verdict:
        """On words ``start`` to ``stop`` - 1."""
        count = int(self.counts[start:stop].sum())
        if not count:
            return Verdict(None, None, None)
        score, ratio = float(self.scores[start:stop].sum()) / count, float(self.ratios[start:stop].sum()) / count
        return Verdict(score, ratio, ratio >= threshold)


def _word_spans(
    spelling: Spelling,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    steps: int,
    pause: int,
    edge: int,
) -> tuple[list[tuple[float, float]], set[int]]:
    """Where each word begins and ends, in steps, and which words nothing is spelt of.

    Args:
        spelling: of the text.
        starts, stops: of its labels.
        steps: of the input.
        pause: of what is between two words, so much is shared.
        edge: of what is before the first word and behind the last, half of so much is theirs.
    """
    spans: list[list[float] | None] = [None] * len(spelling.words)
    bridged = set(range(len(spans)))
    order: list[int] = []  # words as they come in the input
    for label, owner, start, stop in zip(
        spelling.labels, spelling.owners, starts.tolist(), stops.tolist(), strict=True
    ):
        if owner is None:
            continue
        span = spans[owner]
        if span is None:
            spans[owner] = [start, stop]
            order.append(owner)
        else:
            span[0], span[1] = min(span[0], start), max(span[1], stop)
        if label != spelling.wildcard:
            bridged.discard(owner)
    placed = [span for span in (spans[word] for word in order) if span is not None]
    ends, begins = [0.0, *(span[1] for span in placed)], [*(span[0] for span in placed), float(steps)]
    for number, (end, begin) in enumerate(zip(ends, begins, strict=True)):
        most = pause if 0 < number < len(placed) else edge
        shared = min(float(most), max(0.0, begin - end))
        if number > 0:
            placed[number - 1][1] = end + BORDER * shared
        if number < len(placed):
            placed[number][0] = begin - (1 - BORDER) * shared
    # A word that the rules have removed stands between its neighbours in the text.
    before = 0.0
    for number, span in enumerate(spans):
        if span is None:
            after = next((other[0] for other in spans[number + 1 :] if other is not None), float(steps))
            spans[number] = [before, max(before, after)]
        else:
            before = span[1]
    return [(span[0], span[1]) for span in spans if span is not None], bridged
