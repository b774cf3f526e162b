"""Subtitles in WebVTT."""

from __future__ import annotations

from typing import Any

from seqpipe.inference.formats.srt import clock, make_cues

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def vtt_text(*records: dict[str, Any]) -> str:
    """The cues of `seqpipe.inference.formats.srt.srt_text`, as WebVTT has them.

    Source: W3C, "WebVTT: The Web Video Text Tracks Format".

    Example:
        >>> print(vtt_text({"words": [{"text": "go", "start": 0.52, "end": 0.8}]}), end="")
        WEBVTT
        <BLANKLINE>
        00:00:00.520 --> 00:00:01.520
        go
    """
    blocks = ["WEBVTT\n"]
    for start, end, lines in make_cues(*records):
        shown = "\n".join(line.translate(_ESCAPED) for line in lines)
        blocks.append(f"{clock(start, '.')} --> {clock(end, '.')}\n{shown}\n")
    return "\n".join(blocks)
