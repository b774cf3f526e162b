"""Lists of words and phrases: a lexicon, with or without spellings, and hot words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqpipe.core.files import expand_home
from seqpipe.errors import ConfigError, DataError, did_you_mean


class Entry(NamedTuple):
    """A line of a lexicon.

    Attributes:
        word: as it is written.
        spelling: its units, a space as ``▁``; None where the line has none.
        where: for messages: the file and the line.
    """

    word: str
    spelling: tuple[str, ...] | None
    where: str


def read_lexicon(path: Path) -> list[Entry]:
    """The words of a file in UTF-8, one a line; behind a tab may stand a spelling, its units parted by spaces.

    A word may stand there several times with other spellings. Empty lines are passed over.

    Raises:
        ConfigError: there is no such file.
        DataError: it can't be read, holds no word, or a line that is no word.
    """
    entries = []
    for where, line in _lines(path):
        word, tab, spelling = line.partition("\t")
        units = tuple(spelling.split())
        if not word or " " in word or (tab and not units):
            what = "holds a space" if " " in word else "has no word" if not word else "has no spelling behind its tab"
            raise DataError(f"{where}: should be a word, or a word, a tab and its units; {line!r:.80} {what}")
        entries.append(Entry(word, units or None, where))
    if not entries:
        raise DataError(f"{path}: holds no words")
    return entries


def read_phrases(given: Sequence[str] | str) -> list[tuple[str, str]]:
    """Words and phrases out of a list, or of a file with one a line; each with what names it in messages.

    Raises:
        ConfigError: there is no such file, or an item of the list is empty.
        DataError: the file can't be read, or holds none.
    """
    if isinstance(given, str):
        path = expand_home(given)
        found = [(line.strip(), where) for where, line in _lines(path)]
        if not found:
            raise DataError(f"{path}: holds no words")
        return found
    for number, phrase in enumerate(given, 1):
        if not phrase.strip():
            raise ConfigError(f"item {number} of {len(given)} is empty; leave it out")
    return [(phrase.strip(), f"item {number}") for number, phrase in enumerate(given, 1)]


def phrases_of_cell(cell: Any) -> list[str]:
    """Words and phrases of a row: a list of them, or a text that parts them by semicolons; of nothing none."""
    if cell is None or isinstance(cell, float):
        return []
    parts = cell if isinstance(cell, (list, tuple)) else str(cell).split(";")
    return [phrase.strip() for phrase in map(str, parts) if phrase.strip()]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Lines that are not empty, each with what names it in messages."""
    if not path.is_file():
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file{did_you_mean(path.name, siblings)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read as text in UTF-8 ({error})") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line := line.rstrip("\r").strip(" "):
            yield f"{path}, line {number}", line
