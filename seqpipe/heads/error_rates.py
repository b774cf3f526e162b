"""Word and character error rate over a corpus, and what was confused with what (jiwer)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer


@dataclass(frozen=True)
class ErrorCounts:
    """Edits that turn references into hypotheses, summed over a corpus.

    Attributes:
        substitutions: a reference item replaced.
        deletions: a reference item missing.
        insertions: an item too many.
        total: items of the references.
    """

    substitutions: int
    deletions: int
    insertions: int
    total: int

    @property
    def rate(self) -> float:
        """Error rate in per cent of the reference items; above 100 is possible."""
        edits = self.substitutions + self.deletions + self.insertions
        return 100.0 * edits / self.total if self.total else (0.0 if edits == 0 else float("inf"))


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Word error counts of a corpus; words are what stands between white space."""
    return _counts(jiwer.process_words(*_lists(references, hypotheses)))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Character error counts of a corpus, spaces counted."""
    return _counts(jiwer.process_characters(*_lists(references, hypotheses)))


def word_alignment(reference: str, hypothesis: str) -> str:
    """Reference over hypothesis, word under word, with S, D and I under what is wrong."""
    shown = jiwer.visualize_alignment(
        jiwer.process_words([reference], [hypothesis]), show_measures=False, skip_correct=False
    )
    return "\n".join(line for line in str(shown).splitlines()[1:] if line.strip())


def confusions(
    references: Sequence[str], hypotheses: Sequence[str], most: int, *, characters: bool = False
) -> list[tuple[str, str, int]]:
    """The most frequent errors as (reference item, hypothesis item, count); "" for what is missing on one side."""
    process = jiwer.process_characters if characters else jiwer.process_words
    found: Counter[tuple[str, str]] = Counter()
    output = process(*_lists(references, hypotheses))
    for said, heard, chunks in zip(output.references, output.hypotheses, output.alignments, strict=True):
        for chunk in chunks:
            if chunk.type == "equal":
                continue
            left = said[chunk.ref_start_idx : chunk.ref_end_idx]
            right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
            for index in range(max(len(left), len(right))):
                pair = (left[index] if index < len(left) else "", right[index] if index < len(right) else "")
                found[pair] += 1
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(left, right, count) for (left, right), count in ordered[:most]]


def _lists(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[list[str], list[str]]:
    return list(references), list(hypotheses)


def _counts(output: jiwer.WordOutput | jiwer.CharacterOutput) -> ErrorCounts:
    return ErrorCounts(
        output.substitutions, output.deletions, output.insertions, output.hits + output.substitutions + output.deletions
    )
