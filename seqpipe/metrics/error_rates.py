"""Alignments of references and hypotheses, and word and character error rates over a corpus (jiwer)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import jiwer

from seqpipe.core.metric import Pair, per_cent


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
        return per_cent(self.substitutions + self.deletions + self.insertions, self.total)


def align(references: Sequence[str], hypotheses: Sequence[str], *, characters: bool = False) -> list[list[Pair]]:
    """Each row's items beside those of its hypothesis, with the fewest edits (Levenshtein 1966).

    Args:
        references: what was said.
        hypotheses: what was heard.
        characters: items are characters, spaces counted; else words, which stand between white space.

    Example:
        >>> align(["turn left now"], ["turn right"])
        [[('turn', 'turn'), ('left', 'right'), ('now', '')]]
    """
    if not references and not hypotheses:
        return []  # jiwer would find one empty row
    process = jiwer.process_characters if characters else jiwer.process_words
    output = process(list(references), list(hypotheses))
    rows = []
    for said, heard, chunks in zip(output.references, output.hypotheses, output.alignments, strict=True):
        pairs: list[Pair] = []
        for chunk in chunks:
            left = said[chunk.ref_start_idx : chunk.ref_end_idx]
            right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
            pairs += zip_longest(left, right, fillvalue="")
        rows.append(pairs)
    return rows


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Word error counts of a corpus."""
    return _counts(align(references, hypotheses))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCounts:
    """Character error counts of a corpus, spaces counted."""
    return _counts(align(references, hypotheses, characters=True))


def _counts(rows: list[list[Pair]]) -> ErrorCounts:
    pairs = [pair for row in rows for pair in row]
    return ErrorCounts(
        substitutions=sum(bool(said and heard) and said != heard for said, heard in pairs),
        deletions=sum(not heard for _, heard in pairs),
        insertions=sum(not said for said, _ in pairs),
        total=sum(bool(said) for said, _ in pairs),
    )
