"""Alignments of references and hypotheses (jiwer)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import jiwer

from seqpipe.core.metric import Pair
from seqpipe.text.splitting import words_of


def align(references: Sequence[str], hypotheses: Sequence[str], *, characters: bool = False) -> list[list[Pair]]:
    """Each row's items beside those of its hypothesis, with the fewest edits (Levenshtein 1966).

    Args:
        references: what was said.
        hypotheses: what was heard.
        characters: items are characters, spaces counted; else words (`words_of`).

    Example:
        >>> align(["turn left now"], ["turn right"])
        [[('turn', 'turn'), ('left', 'right'), ('now', '')]]
    """
    if not references and not hypotheses:
        return []  # jiwer would find one empty row
    if characters:
        output: Any = jiwer.process_characters(list(references), list(hypotheses))
    else:  # jiwer parts words at U+0020 alone
        sides = ([" ".join(words_of(text)) for text in side] for side in (references, hypotheses))
        output = jiwer.process_words(*sides)
    rows = []
    for said, heard, chunks in zip(output.references, output.hypotheses, output.alignments, strict=True):
        pairs: list[Pair] = []
        for chunk in chunks:
            left = said[chunk.ref_start_idx : chunk.ref_end_idx]
            right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
            pairs += zip_longest(left, right, fillvalue="")
        rows.append(pairs)
    return rows
