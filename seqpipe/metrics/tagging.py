"""Scores of taggings: words, spans and sentences, from counts of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.answers.tagging import Tagging
from seqpipe.core.cell import plain
from seqpipe.core.metric import BaseMetric, Pair, ScoreKind, per_cent
from seqpipe.decoding.spans import OUTSIDE, broken_spans, span_counts, spans_of, split_tag
from seqpipe.decoding.tag_schemes import Scheme, check_tags, convert
from seqpipe.errors import InputError, read_or
from seqpipe.metrics import calibration
from seqpipe.metrics.class_scores import CLASS_SCORES, class_count_names, class_counts, class_scores
from seqpipe.metrics.layout import Layout
from seqpipe.metrics.span_errors import SpanError, find_span_errors
from seqpipe.text.classes import class_name
from seqpipe.text.splitting import words_of

_SPAN_COUNTS = ("right_spans", "wanted_spans", "answered_spans")


class TagMetric(BaseMetric):
    """Accuracy of tags and F1 of spans, and how far confidences can be believed.

    Args:
        tags: that answers may have.
        scheme: what spans are marked by; see `Scheme`.
    """

    def __init__(self, tags: Sequence[str], scheme: Scheme = "none") -> None:
        self.tags, self.scheme = list(tags), scheme
        self.class_names = self.tags
        self.types = sorted({split_tag(tag)[1] for tag in self.tags if tag != OUTSIDE}) if scheme != "none" else []
        self._numbers = {tag: number for number, tag in enumerate(self.tags)}
        of_types = [f"{what} {kind}" for kind in self.types for what in _SPAN_COUNTS]
        self.layout = Layout(
            rows=("rows", "correct_rows"),
            words=("words", "correct_words"),
            tags=class_count_names(self.tags),
            spans=[*_SPAN_COUNTS, *of_types] if self.types else (),
            calibration=calibration.names(),
        )
        self.names = self.layout.names

    @property
    def main(self) -> str:
        """``f1`` of spans where there are any, else ``accuracy`` of words."""
        return "accuracy" if self.scheme == "none" else "f1"

    @property
    def kinds(self) -> dict[str, ScoreKind]:
        """How the scores read: F1 of spans first, where there are spans, and that of each type last."""
        shares = {
            "accuracy": ScoreKind("accuracy", "words whose tag is right", False, "correct_words", "words"),
            "sentence_accuracy": ScoreKind(
                "sentence accuracy", "sentences whose tags are all right", False, "correct_rows", "rows"
            ),
        }
        if self.scheme == "none":
            return {**shares, **CLASS_SCORES, **calibration.kinds("words")}
        return {
            "f1": ScoreKind("F1", "F1 of spans with exact borders and type", False),
            "precision": ScoreKind(
                "precision", "answered spans that are right", False, "right_spans", "answered_spans"
            ),
            "recall": ScoreKind("recall", "spans that were found", False, "right_spans", "wanted_spans"),
            **shares,
            **calibration.kinds("words"),
            **{f"f1_{kind}": ScoreKind(f"F1 {kind}", f"F1 of {kind} spans", False) for kind in self.types},
        }

    def count(
        self, targets: Sequence[Any], answers: Sequence[Tagging], inputs: Sequence[Any] = ()
    ) -> NDArray[np.int64]:
        """Of every row, ``[N, C]``; a tag that is none of the known ones counts as wrong.

        Raises:
            InputError: a row has another number of tags than of words.
        """
        counts = np.zeros((len(targets), len(self.names)), dtype=np.int64)
        for row, pairs, answer in zip(counts, self._pairs(targets, answers), answers, strict=True):
            self._count_row(row, [pair[0] for pair in pairs], [pair[1] for pair in pairs], answer.item_confidences)
        return counts

    def _count_row(
        self, row: NDArray[np.int64], wanted: Sequence[str], answered: Sequence[str], confidences: Sequence[float]
    ) -> None:
        """Counts of one row into ``[C]``."""
        targets = np.array([self._numbers.get(tag, len(self.tags)) for tag in wanted], dtype=np.int64)
        answers = np.array([self._numbers[tag] for tag in answered], dtype=np.int64)
        right = targets == answers
        row[self.layout["rows"]] = 1, bool(right.all())
        row[self.layout["words"]] = len(right), int(right.sum())
        row[self.layout["tags"]] = class_counts(targets, answers, len(self.tags))
        if self.types:
            found = span_counts([spans_of(wanted)], [spans_of(answered)])
            known = [found.get(kind, (0, 0, 0)) for kind in self.types]
            total = [sum(counts[place] for counts in found.values()) for place in range(3)]
            row[self.layout["spans"]] = np.array([total, *known]).reshape(-1)
        row[self.layout["calibration"]] = calibration.counts(np.array(confidences), right)

    def _pairs(self, targets: Sequence[Any], answers: Sequence[Tagging]) -> list[list[Pair]]:
        found = []
        for raw, answer in zip(targets, answers, strict=True):
            tags = tags_of(raw, self.scheme)
            wanted = tags if self.scheme == "none" else convert(tags, "bio")
            wanted = wanted[: len(answer.words) if answer.truncated else None]
            if len(wanted) != len(answer.words):
                raise InputError(
                    "wrong number of tags", f"{answer.id}: {len(wanted)} tags for {len(answer.words)} words"
                )
            found.append([(tag, word.tag) for tag, word in zip(wanted, answer.words, strict=True)])
        return found

    def scores(self, total: NDArray[np.int64]) -> dict[str, float]:
        """In per cent but for ``mcc``."""
        rows, right_rows = total[self.layout["rows"]].tolist()
        words, right_words = total[self.layout["words"]].tolist()
        shares = {"accuracy": per_cent(right_words, words), "sentence_accuracy": per_cent(right_rows, rows)}
        ece = calibration.score(total[self.layout["calibration"]])
        if not self.types:
            return {**shares, **class_scores(total[self.layout["tags"]], len(self.tags)), **ece}
        spans = total[self.layout["spans"]].reshape(-1, 3).tolist()
        right, wanted, answered = spans[0]
        return {
            "f1": span_f1(right, wanted, answered),
            "precision": per_cent(right, answered),
            "recall": per_cent(right, wanted),
            **shares,
            **ece,
            **{f"f1_{kind}": span_f1(*counts) for kind, counts in zip(self.types, spans[1:], strict=True)},
        }

    def errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """How wrong each row is, ``[N, C]`` -> ``[N]``: wrong spans, and a fraction for wrong words among equals."""
        words, right_words = counts[:, self.layout["words"]].T.astype(np.float64)
        wrong = words - right_words
        if not self.types:
            return wrong
        right, wanted, answered = counts[:, self.layout["spans"]][:, :3].T.astype(np.float64)
        return wanted + answered - 2 * right + wrong / (wrong + 1)

    def comparable(self, targets: Sequence[Any], answers: Sequence[Tagging]) -> tuple[list[str], list[str]]:
        """Tags joined by spaces."""
        rows = self._pairs(targets, answers)
        return [" ".join(tag for tag, _ in row) for row in rows], [" ".join(tag for _, tag in row) for row in rows]

    def aligned(self, targets: Sequence[Any], answers: Sequence[Tagging]) -> dict[str, list[list[Pair]]]:
        """Each word's tag beside that which was answered."""
        return {"tags": self._pairs(targets, answers)}

    def target_classes(self, target: Any) -> list[str]:
        """The tags."""
        return tags_of(target, self.scheme)

    def warnings(self, target: Any) -> list[tuple[str, str]]:
        """``broken span``: a tag that goes on with a span where none of its type is open."""
        broken = broken_spans(tags_of(target)) if self.scheme != "none" else []
        if not broken:
            return []
        place, tag, before = broken[0]
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        after = f"after {before}" if before else "at the start"
        return [("broken span", f"tag {place + 1} is {tag} {after}{more}; read as the beginning of a span")]

    def span_errors(self, target: Any, answer: Tagging) -> list[SpanError]:
        """Spans that were missed, or answered with another type or other borders, or that aren't there at all."""
        if self.scheme == "none":
            return []
        (pairs,) = self._pairs([target], [answer])
        words = [word.text for word in answer.words]
        return find_span_errors(words, spans_of([tag for tag, _ in pairs]), spans_of([tag for _, tag in pairs]))

    def right_parts(self, targets: Sequence[Any], answers: Sequence[Tagging]) -> list[dict[str, list[bool]]]:
        """Words whose tag is right, and spans whose type and borders are."""
        found = []
        for pairs in self._pairs(targets, answers):
            right = {"words": [wanted == answered for wanted, answered in pairs]}
            if self.scheme != "none":
                wanted = set(spans_of([tag for tag, _ in pairs]))
                right["spans"] = [span in wanted for span in spans_of([tag for _, tag in pairs])]
            found.append(right)
        return found

    def describe(self) -> str:
        """What tags are compared as."""
        return "tags by name" if self.scheme == "none" else "spans as CoNLL's conlleval counts them"


def tags_of(raw: Any, scheme: Scheme = "none") -> list[str]:
    """A target as tags: a list of them, or a text of them with white space between.

    Raises:
        InputError: it is neither, or empty, or a tag is written as none of the scheme (`check_tags`).
    """
    parts = words_of(raw) if isinstance(raw, str) else plain(raw)
    tags = [read_or("", class_name, part) for part in parts] if isinstance(parts, (list, tuple)) else []
    if not tags or not all(tags):
        raise InputError("bad value", f"the target should be a tag for each word; received {raw!r:.80}")
    check_tags(tags, scheme)
    return tags


def span_f1(right: int, wanted: int, answered: int) -> float:
    """Harmonic mean of precision and recall in per cent; 0 where nothing is right."""
    return 200.0 * right / (wanted + answered) if right else 0.0
