"""Time-marked words, as NIST's scoring tools read them."""

from __future__ import annotations

import math
import re
from typing import Any

from seqpipe.answers.transcript import word_pieces

CHANNEL = "1"


def ctm_text(record: dict[str, Any], name: str) -> str:
    """A line per word: recording, channel, start and duration in seconds, word, confidence.

    A word's confidence is the product of its tokens' confidences: the probability that all of them are right, were they
    independent. Words of a head without tokens have none, which the format allows. White space in a word is written
    as ``_``.

    Args:
        record: of a prediction with words.
        name: of the recording, without white space.

    Source: NIST SCTK, infmts, "CTM format".

    Example:
        >>> record = {"words": [{"text": "go", "start": 0.52, "end": 0.8}], "tokens": []}
        >>> print(ctm_text(record, "a"), end="")
        a 1 0.520 0.280 go
    """
    if name.startswith(";;"):  # a comment
        name = f"__{name[2:]}"
    lines = []
    words = record["words"] or []
    for word, confidence in zip(words, word_confidences(record, len(words)), strict=True):
        start, end = round(1000 * word["start"]), round(1000 * word["end"])
        duration = max(0, end - start)
        text = re.sub(r"\s", "_", word["text"]) or "_"
        line = f"{name} {CHANNEL} {start / 1000:.3f} {duration / 1000:.3f} {text}"
        lines.append(line + ("\n" if confidence is None else f" {confidence:.4f}\n"))
    return "".join(lines)


def word_confidences(record: dict[str, Any], words: int) -> list[float | None]:
    """Of each of a prediction's words, how many they are being known; see `ctm_text`."""
    tokens = record.get("tokens") or []
    found = list(word_pieces(token["text"] for token in tokens))
    if len(found) != words or any("confidence" not in token for token in tokens):
        return [None] * words
    return [math.prod(tokens[index]["confidence"] for _, index in word) for word in found]
