"""Hypotheses of a search as a text that was generated, for heads and for runtimes without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seqpipe.answers.generated_text import GeneratedText, TextHypothesis
from seqpipe.core.item import Item
from seqpipe.decoding.generated import Generated
from seqpipe.text.vocabulary import UNKNOWN


def generated(
    row_id: str,
    hypotheses: Sequence[Generated],
    attended: Sequence[Sequence[int]],
    text_of: Callable[[Sequence[int], Sequence[int]], str],
    truncated: int,
) -> GeneratedText:
    """An answer.

    Args:
        row_id: of the row.
        hypotheses: best first.
        attended: for each label of each hypothesis the encoded step that got most attention; or empty.
        text_of: the text of labels, given these steps.
        truncated: tokens of the input that were not read.
    """
    texts = [
        TextHypothesis(text_of(each.labels, places), float(np.exp(np.float32(each.log_probability))), each.score)
        for each, places in zip(hypotheses, attended or [[]] * len(hypotheses), strict=True)
    ]
    best = texts[0]
    alternatives = tuple(texts) if len(texts) > 1 else ()
    return GeneratedText(row_id, best.text, best.probability, best.score, alternatives, truncated)


def copied(labels: Sequence[int], attended: Sequence[int], items: Sequence[Item], steps: int, units: Any) -> str | None:
    """A text of words in which unknown ones are those of the input that got most attention; None if there is none.

    Args:
        labels: of the text.
        attended: for each the encoded step that got most attention; empty where nothing is to be copied.
        items: words of the input.
        steps: encoded ones of the row.
        units: that the text is written in.
    """
    if not attended or UNKNOWN not in labels or len(items) != steps:  # a step is no word: a front-end has joined some
        return None
    return " ".join(
        items[place].text if label == UNKNOWN and place < len(items) else units.piece(label)
        for label, place in zip(labels, attended, strict=False)
    )
