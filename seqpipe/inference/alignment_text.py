"""The texts that inputs are aligned with: in a cell of a manifest, or in a file that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from seqpipe.core.lines import TOO_LONG, bounded_content
from seqpipe.core.suffixes import TEXT_SUFFIXES
from seqpipe.data.formats.subtitles import SUBTITLE_SUFFIXES, read_cues
from seqpipe.data.rows import Row
from seqpipe.errors import InputError
from seqpipe.text.validity import unfit


class AlignmentText(NamedTuple):
    """A text to align.

    Attributes:
        text: all of it.
        lines: where its lines begin and end, if it has several; or cues of subtitles.
        subtitles: whether they are cues.
    """

    text: str
    lines: Sequence[tuple[int, int]] = ()
    subtitles: bool = False


def alignment_text(value: Any, folder: Path) -> AlignmentText:
    """The text of a row.

    Args:
        value: the text itself; or the name of a file with it (``.txt``, ``.srt``, ``.vtt``), which is a value of one
            line that ends so.
        folder: what the name is relative to.

    Raises:
        InputError: it is no text, or the file is missing or can't be read as text.
    """
    if not isinstance(value, str):
        raise InputError("bad value", f"the text to align should be text; received {value!r:.80}")
    ending = Path(value).suffix.lower() if "\n" not in value else ""
    if ending not in TEXT_SUFFIXES | SUBTITLE_SUFFIXES:
        return _of_lines(value.splitlines())
    path = folder / value
    content = _content(path)
    if ending in SUBTITLE_SUFFIXES:
        return _of_lines(read_cues(content, path), subtitles=True)
    return _of_lines(content.splitlines())


def text_row(row: Row, folder: Path) -> Row:
    """A row whose target is its `AlignmentText`; with a problem, where that can't be had."""
    if row.problem is not None:
        return row
    try:
        return replace(row, target=alignment_text(row.target, folder))
    except InputError as error:
        return replace(row, target=None, problem=error)


def _of_lines(lines: Sequence[str], *, subtitles: bool = False) -> AlignmentText:
    text = "\n".join(lines)
    if len(lines) < 2 and not subtitles:
        return AlignmentText(text)
    ends = [end - 1 for end in accumulate(len(line) + 1 for line in lines)]
    spans = [(end - len(line), end) for line, end in zip(lines, ends, strict=True)]
    return AlignmentText(text, spans, subtitles)


def _content(path: Path) -> str:
    try:
        content = bounded_content(path)
    except FileNotFoundError:
        raise InputError("missing", f"{path}: there is no such file, which the row names as its text") from None
    except OSError as error:
        raise InputError("unreadable", f"{path}: can't be read ({error.strerror or error})") from error
    if content is None:
        raise InputError("too long", f"{path}: {TOO_LONG}")
    text = content.decode("utf-8-sig", "surrogateescape")
    if what := unfit(text):
        raise InputError("bad value", f"{path}: {what}")
    return text
