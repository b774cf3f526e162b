"""What a tagging head answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from seqpipe.core.answer import Answer, Confidences, Mark
from seqpipe.core.item import Item
from seqpipe.decoding.tag_path import TagPath


@dataclass(frozen=True, slots=True)
class TaggedWord:
    """A word with its tag.

    Attributes:
        text: as it stands in the input.
        tag: the answer.
        start: offset of its first character in the input.
        end: offset behind its last one.
        confidence: probability of the tag, 0 to 1, whatever the other words' are.
    """

    text: str
    tag: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Span:
    """A span of words of one type: an entity, say.

    Attributes:
        type: what it is.
        text: as it stands in the input, between its words too.
        start: offset of its first character in the input.
        end: offset behind its last one.
        confidence: probability that there is a span of this type with just these borders, 0 to 1.
    """

    type: str
    text: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class TagSequence:
    """Another answer: the tags of all words, and the probability that all are right."""

    tags: tuple[str, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Tagging(Answer):
    """The tags of one input.

    Attributes:
        id: of the row.
        confidence: probability that all tags are right, 0 to 1.
        words: with tags and places.
        spans: that the tags mark, if they belong to a scheme (BIO).
        alternatives: the best answers, this one first, if ``decoding.n_best`` asks for more than one.
        truncated: words at the end of the input that were not read, if the features leave some out.
    """

    mapped: ClassVar[tuple[str, ...]] = ("answers", "spans")
    id: str
    confidence: float
    words: tuple[TaggedWord, ...]
    spans: tuple[Span, ...]
    alternatives: tuple[TagSequence, ...] = ()
    truncated: int = 0

    @property
    def marks(self) -> list[Mark]:
        """The words with their tags."""
        return [Mark(word.tag, word.start, word.end, word.confidence, place) for place, word in enumerate(self.words)]

    @property
    def item_confidences(self) -> list[float]:
        """Those of the words' tags."""
        return [word.confidence for word in self.words]

    @property
    def confidences(self) -> Mapping[str, Confidences]:
        """Of all tags together, of each, and of the spans; the number of words speaks too, where it is in question."""
        return {
            "answers": Confidences([self.confidence], {"log_words": [math.log(max(1, len(self.words)))]}),
            "words": Confidences(self.item_confidences),
            "spans": Confidences(
                [span.confidence for span in self.spans],
                {"log_words": [math.log(max(1, len(span.text.split()))) for span in self.spans]},
            ),
        }

    def with_confidences(self, values: Mapping[str, Sequence[float]]) -> Tagging:
        """The same tags; see `Answer.with_confidences`."""
        spans = values.get("spans", [span.confidence for span in self.spans])
        return replace(
            self,
            confidence=values.get("answers", [self.confidence])[0],
            spans=tuple(replace(span, confidence=own) for span, own in zip(self.spans, spans, strict=True)),
        )

    def to_json(self) -> dict[str, Any]:
        """One JSON object; probabilities rounded to 6 digits."""
        return {
            "id": self.id,
            "confidence": round(self.confidence, 6),
            "words": [
                {
                    "text": word.text,
                    "tag": word.tag,
                    "start": word.start,
                    "end": word.end,
                    "confidence": round(word.confidence, 6),
                }
                for word in self.words
            ],
            "spans": [
                {
                    "type": span.type,
                    "text": span.text,
                    "start": span.start,
                    "end": span.end,
                    "confidence": round(span.confidence, 6),
                }
                for span in self.spans
            ],
            "alternatives": [
                {"tags": list(other.tags), "confidence": round(other.confidence, 6)} for other in self.alternatives
            ],
            "truncated": self.truncated,
        }


def tagged(row_id: str, path: TagPath, items: Sequence[Item], text: str, truncated: int) -> Tagging:
    """The tags of a row as an answer, with character offsets in the input.

    Args:
        row_id: of the row.
        path: its tags.
        items: its words, as many as there are tags.
        text: that they have their places in.
        truncated: words at its end that were not read.
    """
    words = tuple(
        TaggedWord(item.text, tag, item.start, item.end, confidence)
        for item, tag, confidence in zip(items, path.tags, path.confidences, strict=True)
    )
    spans = tuple(
        Span(kind, text[items[first].start : items[stop - 1].end], items[first].start, items[stop - 1].end, share)
        for kind, first, stop, share in path.spans
    )
    others = tuple(TagSequence(tuple(tags), share) for tags, share in path.alternatives)
    return Tagging(row_id, path.confidence, words, spans, others, truncated)
