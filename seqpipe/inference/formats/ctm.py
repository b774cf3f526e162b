"""Time-marked words, as NIST's scoring tools read them."""

from __future__ import annotations

import math
import re
from typing import Any

from seqpipe.answers.transcript import word_pieces
from seqpipe.inference.formats.recordings import CHANNEL, plain_name

_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_MARK = re.compile(r"<alt", re.IGNORECASE)
"""How sclite's marks of alternatives begin."""


def ctm_text(record: dict[str, Any], recording: str, channel: str = CHANNEL) -> str:
    r"""A line per word: recording, channel, start and duration in seconds, word, confidence.

    Where words have no confidence of their own it is the product of their tokens': the probability that all of them are
    right, were they independent. Words of a head without tokens have none, which the format allows. White space and
    control characters in a word are written as ``_``; a word like ``<ALT>``, which would mark alternatives, has ``\``
    before it, which sclite takes away again.

    Args:
        record: of a prediction with words.
        recording: its name; see `RecordingNames`.
        channel: of the recording.

    Source: NIST SCTK 2.4.10, infmts, "CTM format".

    Example:
        >>> record = {"words": [{"text": "go", "start": 0.52, "end": 0.8}], "tokens": []}
        >>> print(ctm_text(record, "a"), end="")
        a 1 0.520 0.280 go
    """
    lines = []
    recording = plain_name(recording)
    words = record["words"] or []
    for word, confidence in zip(words, word_confidences(record, len(words)), strict=True):
        start, end = round(1000 * word["start"]), round(1000 * word["end"])
        duration = max(0, end - start)
        text = _BLANK.sub("_", word["text"]) or "_"
        text = f"\\{text}" if _MARK.match(text) else text
        line = f"{recording} {channel} {start / 1000:.3f} {duration / 1000:.3f} {text}"
        lines.append(line + ("\n" if confidence is None else f" {confidence:.4f}\n"))
    return "".join(lines)


def ctm_order(line: str) -> tuple[str, float]:
    """The place of a line among those of its recording: by channel, then by start, as NIST's tools want them."""
    _, channel, start, *_ = line.split(" ")
    return channel, float(start)


def word_confidences(record: dict[str, Any], words: int) -> list[float | None]:
    """Of each of a prediction's words, how many they are being known; see `ctm_text`."""
    own = [word.get("confidence") for word in record.get("words") or []]
    if len(own) == words and None not in own:
        return own
    tokens = record.get("tokens") or []
    found = list(word_pieces(token["text"] for token in tokens))
    if len(found) != words or any("confidence" not in token for token in tokens):
        return [None] * words
    return [math.prod(tokens[index]["confidence"] for _, index in word) for word in found]
