"""Subtitles in SubRip's format."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from seqpipe.answers.transcript import Word
from seqpipe.text.splitting import words_of

LINE_CHARACTERS = 42
"""Of a line; a cue has at most two."""
CUE_SECONDS = 7.0
"""From the beginning of a cue's first word to the end of its last."""
PAUSE_SECONDS = 0.8
"""Between two words; a longer one ends the cue."""
READABLE_SECONDS = 1.0
"""A cue is shown at least so long, where the next one leaves time for it."""
CHARACTERS_PER_SECOND = 20
"""What can be read: a cue is shown at least as long as its text takes, where the next one leaves time for it."""
SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'»”’)\]]*$")


def srt_text(*records: dict[str, Any]) -> str:
    """Cues of the words of a recording's predictions: numbered, in order.

    CTC finds where a word is, and its end hardly: a cue is shown for longer than its words were found to last, so that
    it can be read. Cues of one prediction are never shown at the same time; of several (channels, parts that overlap)
    only where their words are.

    Args:
        records: of predictions with words; start and end in seconds. A cue has words of one of them: of one channel,
            one part.

    Example:
        >>> print(srt_text({"words": [{"text": "go", "start": 0.52, "end": 0.8}]}), end="")
        1
        00:00:00,520 --> 00:00:01,520
        go
    """
    blocks = []
    for number, (start, end, lines) in enumerate(make_cues(*records), 1):
        shown = "\n".join(lines)
        blocks.append(f"{number}\n{clock(start)} --> {clock(end)}\n{shown}\n")
    return "\n".join(blocks)


def make_cues(*records: dict[str, Any]) -> Iterator[tuple[int, int, list[str]]]:
    """From when to when each cue is shown, in milliseconds, and its lines; see `srt_text`."""
    cues: list[_Cue] = []
    for part, record in enumerate(records):
        if record.get("subtitles"):  # its own cues with new times
            lines = record["lines"]
            cues += [_Cue([Word(line["text"], line["start"], line["end"])], part, kept=True) for line in lines]
            continue
        words = [Word(" ".join(words_of(word["text"])), word["start"], word["end"]) for word in record["words"] or []]
        cues += [_Cue(group, part) for group in _group([word for word in words if word.text])]
    if len(records) > 1:
        cues.sort(key=lambda cue: cue.words[0].start)
    for (start, end), cue in zip(_times(cues), cues, strict=True):
        text = [word.text for word in cue.words]
        yield start, end, text[0].split("\n") if cue.kept else _wrap(text)


class _Cue(NamedTuple):
    """Words that are shown together.

    Attributes:
        words: at least one.
        part: number of the prediction.
        kept: whether it was one before, which has its text as one word.
    """

    words: list[Word]
    part: int
    kept: bool = False


def _group(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Words that are shown together: up to a pause, the end of a sentence, what two lines hold, or seven seconds."""
    cue: list[Word] = []
    for word in words:
        if cue and (
            word.start - cue[-1].end > PAUSE_SECONDS
            or SENTENCE_END.search(cue[-1].text)
            or word.end - cue[0].start > CUE_SECONDS
            or max(map(len, _wrap([*(word.text for word in cue), word.text]))) > LINE_CHARACTERS
        ):
            yield cue
            cue = []
        cue.append(word)
    if cue:
        yield cue


def _wrap(texts: Sequence[str]) -> list[str]:
    """One line if it holds all, else two, as even as can be; a word is never broken."""
    whole = " ".join(texts)
    if len(whole) <= LINE_CHARACTERS or len(texts) == 1:
        return [whole]
    ways = [[" ".join(texts[:first]), " ".join(texts[first:])] for first in range(1, len(texts))]
    return min(ways, key=lambda lines: max(map(len, lines)))


def _times(cues: Sequence[_Cue]) -> list[tuple[int, int]]:
    """From when to when each cue is shown, in milliseconds.

    Each begins with its words, after the one before, and lasts until they end, or for longer where the next one leaves
    time for it. Of predictions whose words overlap, both are shown.
    """
    starts: list[int] = []
    for cue in cues:
        earliest = starts[-1] + 1 if starts else 0
        starts.append(max(earliest, round(1000 * cue.words[0].start)))
    times: list[tuple[int, int]] = []
    following: dict[int, int] = {}  # of each prediction: when its next cue begins
    after: int | None = None
    for cue, start in zip(reversed(cues), reversed(starts), strict=True):
        needed = max(READABLE_SECONDS, len(" ".join(word.text for word in cue.words)) / CHARACTERS_PER_SECOND)
        spoken = round(1000 * cue.words[-1].end)
        end = min(max(spoken, start + round(1000 * needed)), following.get(cue.part, sys.maxsize))
        if after is not None and after >= spoken:
            end = min(end, after)
        times.append((start, end))
        following[cue.part] = after = start
    return times[::-1]


def clock(milliseconds: int, point: str = ",") -> str:
    """A time as subtitles write it: ``00:01:02,500``."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds:03d}"
