"""Scores of taggings: words, spans and sentences, from counts of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.metric import ScoreKind, per_cent
from seqpipe.decoding.spans import span_counts, spans_of
from seqpipe.metrics.class_scores import (
    CLASS_SCORES,
    calibration_counts,
    calibration_kinds,
    calibration_names,
    calibration_score,
    class_counts,
    class_names,
    class_scores,
)

_SPAN_COUNTS = ("right_spans", "wanted_spans", "answered_spans")


class TagScores:
    """Counts of tagged rows, and what a sum of them is worth.

    Args:
        tags: that answers may have.
        types: of the spans that they mark; none where tags belong to no scheme.
    """

    def __init__(self, tags: Sequence[str], types: Sequence[str]) -> None:
        self.tags, self.types = list(tags), list(types)
        self._numbers = {tag: number for number, tag in enumerate(self.tags)}
        of_types = [f"{what} {kind}" for kind in self.types for what in _SPAN_COUNTS]
        spans = [*_SPAN_COUNTS, *of_types] if types else []
        self.names = (
            *("rows", "correct_rows", "words", "correct_words"),
            *class_names(self.tags),
            *spans,
            *calibration_names(),
        )
        self._spans_at = 4 + 3 * len(self.tags) + 1
        self._bins_at = self._spans_at + len(spans)

    @property
    def kinds(self) -> dict[str, ScoreKind]:
        """How the scores read: F1 of spans first, where there are spans, and that of each type last."""
        words = {"accuracy": ScoreKind("accuracy", "words whose tag is right", False, "correct_words", "words")}
        sentences = {
            "sentence_accuracy": ScoreKind(
                "sentence accuracy", "sentences whose tags are all right", False, "correct_rows", "rows"
            )
        }
        calibration = calibration_kinds("words")
        if not self.types:
            return {**words, **sentences, **CLASS_SCORES, **calibration}
        return {
            "f1": ScoreKind("F1", "F1 of spans with exact borders and type", False),
            "precision": ScoreKind(
                "precision", "answered spans that are right", False, "right_spans", "answered_spans"
            ),
            "recall": ScoreKind("recall", "spans that were found", False, "right_spans", "wanted_spans"),
            **words,
            **sentences,
            **calibration,
            **{f"f1_{kind}": ScoreKind(f"F1 {kind}", f"F1 of {kind} spans", False) for kind in self.types},
        }

    def count(self, wanted: Sequence[str], answered: Sequence[str], confidences: Sequence[float]) -> NDArray[np.int64]:
        """Counts of one row, ``[C]``, in the order of `names`.

        Args:
            wanted: its tags; what is none of the known ones counts as wrong.
            answered: as many.
            confidences: of the answered tags.
        """
        targets = np.array([self._numbers.get(tag, len(self.tags)) for tag in wanted], dtype=np.int64)
        answers = np.array([self._numbers[tag] for tag in answered], dtype=np.int64)
        right = targets == answers
        parts = [
            np.array([1, bool(right.all()), len(right), int(right.sum())]),
            class_counts(targets, answers, len(self.tags)),
        ]
        if self.types:
            found = span_counts([spans_of(wanted)], [spans_of(answered)])
            known = [found.get(kind, (0, 0, 0)) for kind in self.types]
            total = [sum(counts[place] for counts in found.values()) for place in range(3)]
            parts.append(np.array([total, *known]).reshape(-1))
        parts.append(calibration_counts(np.array(confidences), right))
        return np.concatenate(parts).astype(np.int64)

    def scores(self, total: NDArray[np.int64]) -> dict[str, float]:
        """Scores of a corpus, in per cent but for ``mcc``, from the sum of its rows' counts."""
        rows, right_rows, words, right_words = total[:4].tolist()
        shares = {"accuracy": per_cent(right_words, words), "sentence_accuracy": per_cent(right_rows, rows)}
        calibration = calibration_score(total[self._bins_at :])
        if not self.types:
            return {**shares, **class_scores(total[4 : self._spans_at], len(self.tags)), **calibration}
        spans = total[self._spans_at : self._bins_at].reshape(-1, 3).tolist()
        right, wanted, answered = spans[0]
        return {
            "f1": span_f1(right, wanted, answered),
            "precision": per_cent(right, answered),
            "recall": per_cent(right, wanted),
            **shares,
            **calibration,
            **{f"f1_{kind}": span_f1(*counts) for kind, counts in zip(self.types, spans[1:], strict=True)},
        }

    def errors(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """How wrong each row is, ``[N, C]`` -> ``[N]``: wrong spans, and a fraction for wrong words among equals."""
        words = (counts[:, 2] - counts[:, 3]).astype(np.float64)
        if not self.types:
            return words
        right, wanted, answered = counts[:, self._spans_at : self._spans_at + 3].T.astype(np.float64)
        return wanted + answered - 2 * right + words / (words + 1)


def span_f1(right: int, wanted: int, answered: int) -> float:
    """Harmonic mean of precision and recall in per cent; 0 where nothing is right."""
    return 200.0 * right / (wanted + answered) if right else 0.0
