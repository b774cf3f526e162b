"""What a transcribing head answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from seqpipe.answers.generated_text import TextHypothesis
from seqpipe.core.answer import INTERNAL, Answer, Confidences, Mark
from seqpipe.text.splitting import words_of


@dataclass(frozen=True, slots=True)
class Token:
    """One unit of a transcript.

    Attributes:
        text: the unit as it stands in the transcript.
        start: where it begins, in the unit of the input (seconds for audio).
        end: where it ends.
        confidence: mean posterior over its steps, 0 to 1.
        language_score: its log-probability by the language model that was searched with, in nats; of a model over
            words a word's is at its last unit, and the others have 0. None without a language model.
    """

    text: str
    start: float
    end: float
    confidence: float
    language_score: float | None = field(default=None, metadata={INTERNAL: True})


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a transcript, with the place of its units, from the first of the input to the last.

    Attributes:
        text: as it stands in the transcript.
        start: where it begins, in the unit of the input.
        end: where it ends.
        confidence: 0 to 1; the product of its units', the probability that all are right, were they independent.
        language_score: the sum of its units', its log-probability by the language model behind what stands before it;
            None without a language model.
    """

    text: str
    start: float
    end: float
    confidence: float = 1.0
    language_score: float | None = field(default=None, metadata={INTERNAL: True})


@dataclass(frozen=True, slots=True)
class Transcript(Answer):
    """The text of one input.

    Attributes:
        id: of the row.
        text: as decoded.
        confidence: posterior probability of the text given the input, 0 to 1, over all its alignments.
        words: with places and confidence.
        tokens: with places and confidence.
        score: what a search has chosen it by: the log-probability by CTC, in nats, and what language model, hot words
            and bonus add; None of greedy decoding, and of what was put together out of segments.
        alternatives: the best texts of a search, this one first, if ``decoding.n_best`` asks for several.
    """

    mapped: ClassVar[tuple[str, ...]] = ("answers", "words", "tokens")
    id: str
    text: str
    confidence: float
    words: tuple[Word, ...]
    tokens: tuple[Token, ...]
    score: float | None = None
    alternatives: tuple[TextHypothesis, ...] = ()

    @property
    def marks(self) -> list[Mark]:
        """The tokens, each with the word that it ends in."""
        text, marks = "", []
        for token in self.tokens:
            text += token.text
            word = len(words_of(text)) - 1 if token.text.strip() else None
            marks.append(Mark(token.text, token.start, token.end, token.confidence, word))
        return marks

    @property
    def confidences(self) -> Mapping[str, Confidences]:
        """Of the text, its words, and its tokens; of words their length and the language model speak too."""
        features = {"log_length": [math.log(len(word.text)) for word in self.words]}
        scores = [word.language_score for word in self.words if word.language_score is not None]
        if scores and len(scores) == len(self.words):
            features["language_score"] = scores
        return {
            "answers": Confidences([self.confidence]),
            "words": Confidences([word.confidence for word in self.words], features),
            "tokens": Confidences([token.confidence for token in self.tokens]),
        }

    def with_confidences(self, values: Mapping[str, Sequence[float]]) -> Transcript:
        """The same transcript; see `Answer.with_confidences`."""
        words = values.get("words", [word.confidence for word in self.words])
        tokens = values.get("tokens", [token.confidence for token in self.tokens])
        return replace(
            self,
            confidence=values.get("answers", [self.confidence])[0],
            words=tuple(replace(word, confidence=own) for word, own in zip(self.words, words, strict=True)),
            tokens=tuple(replace(token, confidence=own) for token, own in zip(self.tokens, tokens, strict=True)),
        )

    def to_json(self) -> dict[str, Any]:
        """One JSON object; places rounded to 0.1 ms, probabilities to 6 digits; with scores, to 4, if it has one."""
        # By hand: `dataclasses.asdict` copies every value, and took longer than decoding.
        found = {
            "id": self.id,
            "text": self.text,
            "confidence": round(self.confidence, 6),
            "words": [
                {
                    "text": word.text,
                    "start": round(word.start, 4),
                    "end": round(word.end, 4),
                    "confidence": round(word.confidence, 6),
                }
                for word in self.words
            ],
            "tokens": [
                {
                    "text": token.text,
                    "start": round(token.start, 4),
                    "end": round(token.end, 4),
                    "confidence": round(token.confidence, 6),
                }
                for token in self.tokens
            ],
        }
        if self.score is None:
            return found
        return found | {"score": round(self.score, 4), "alternatives": [each.to_json() for each in self.alternatives]}


def group_words(tokens: tuple[Token, ...]) -> tuple[Word, ...]:
    """Tokens joined to words at white space (inside tokens too), as `words_of` parts the text."""
    return tuple(
        # Of what is written from right to left in an image, the first unit ends last.
        Word(
            "".join(piece for piece, _ in word),
            min(tokens[place].start for _, place in word),
            max(tokens[place].end for _, place in word),
            math.prod(tokens[place].confidence for _, place in word),
            _together([tokens[place].language_score for _, place in word]),
        )
        for word in word_pieces(token.text for token in tokens)
    )


def _together(scores: Sequence[float | None]) -> float | None:
    """Of several tokens."""
    known = [score for score in scores if score is not None]
    return sum(known) if len(known) == len(scores) else None


def word_pieces(texts: Iterable[str]) -> Iterator[list[tuple[str, int]]]:
    """The words in tokens' texts, each as its pieces with the places of the tokens that they are in.

    Example:
        >>> list(word_pieces(["go", "od d", "ay"]))
        [[('go', 0), ('od', 1)], [('d', 1), ('ay', 2)]]
    """
    word: list[tuple[str, int]] = []
    for place, text in enumerate(texts):
        if text[:1].isspace() and word:
            yield word
            word = []
        for index, piece in enumerate(words_of(text)):
            if index > 0:
                yield word
                word = []
            word.append((piece, place))
        if text[-1:].isspace() and word:
            yield word
            word = []
    if word:
        yield word
