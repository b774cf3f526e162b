"""The texts of subtitles: SubRip (``.srt``) and WebVTT (``.vtt``)."""

from __future__ import annotations

import html
import re

from seqpipe.errors import InputError

SUBTITLE_SUFFIXES = frozenset({".srt", ".vtt"})
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|</>|<[\d:.]+>|\{\\[^{}]*\}")
"""Of fonts, speakers (``<v Anna>``), times within a cue, places on the screen (``{\\an8}``); ``3 < 4`` is none."""


def read_cues(content: str, name: object) -> list[str]:
    """The texts of the cues in their order, without tags; line breaks within a cue stay.

    WebVTT, which begins so, writes ``&`` and ``<`` as character references (W3C WebVTT, 4.2.2); SubRip has none.

    Times, numbers, notes and styles are passed over, and so are cues without text.

    Args:
        content: of the file, with line feeds.
        name: of the file, for messages.

    Raises:
        InputError: there is no cue.

    Example:
        >>> read_cues("1\\n00:00:01,000 --> 00:00:02,000\\n<i>Go</i>\\nnow\\n", "a.srt")
        ['Go\\nnow']
    """
    cues: list[list[str]] = []
    within = False
    decode = html.unescape if content.lstrip("\ufeff").startswith("WEBVTT") else str
    for line in content.splitlines():
        if "-->" in line:
            cues.append([])
            within = True
        elif not line.strip():
            within = False
        elif within and (text := " ".join(decode(_TAG.sub("", line)).split())):
            cues[-1].append(text)
    texts = ["\n".join(lines) for lines in cues if lines]
    if not texts:
        raise InputError("empty", f"{name}: holds no cue: a line of times with --> and a text below it")
    return texts
