"""Sentiment trees: every phrase of a sentence with its own label, as the Stanford Sentiment Treebank has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.core.lines import TOO_LONG, bounded_lines
from seqpipe.errors import DataError, InputError
from seqpipe.text.validity import unfit

LABELS = ("fine", "binary")
"""``fine``: 0 to 4, from very negative to very positive. ``binary``: 0 and 1, phrases with the label 2 left out."""

_PART = re.compile(r"[()]|[^\s()]+")
_ESCAPED = {
    "-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}",
}  # fmt: skip
"""How treebanks write brackets (Penn Treebank), which are the trees' own signs."""

Phrase = tuple[str, str]
"""Label and text."""


def split_trees(source: str) -> tuple[str, str]:
    """File and labels of ``FILE@LABELS`` (what stands after ``trees:``); raises `DataError` if it is none."""
    name, _, labels = source.rpartition("@")
    if not name or labels not in LABELS:
        raise DataError(
            f"trees:{source}: should end with the labels that are wanted, @fine (0 to 4) or @binary (0 and 1, neutral "
            "phrases left out)"
        )
    return name, labels


def read_trees(path: Path, labels: str, *, strict: bool = True) -> Iterator[tuple[int, dict[str, str] | InputError]]:
    """Phrases of trees, one tree a line: ``(3 (2 It) (4 (3 works) (2 .)))``.

    A tree gives its sentence first and then its phrases, single words too, each with the words joined by spaces and
    brackets unescaped. Equal pairs of text and label come once; if one is a sentence anywhere in the file, as that.

    Args:
        path: the file, UTF-8.
        labels: one of `LABELS`.
        strict: a line that is no tree ends the reading; else it is an `InputError` in its place.

    Returns:
        Numbers from 1 and the columns ``label``, ``text`` and ``node`` (``sentence`` or ``phrase``).

    Raises:
        DataError: a line is no tree; file and line are named.
        OSError: the file can't be opened or read.
    """
    sentences = {phrases[0] for phrases in _trees(path) if not isinstance(phrases, InputError)}
    seen: set[Phrase] = set()
    number = 0
    for phrases in _trees(path):
        if isinstance(phrases, InputError):
            if strict:
                raise DataError(str(phrases))
            number += 1
            yield number, phrases
            continue
        for place, (label, text) in enumerate(phrases):
            if (label, text) in seen or (place and (label, text) in sentences):
                continue
            seen.add((label, text))
            if labels == "binary" and label == "2":
                continue
            number += 1
            shown = label if labels == "fine" else str(int(label > "2"))
            yield number, {"label": shown, "text": text, "node": "phrase" if place else "sentence"}


def _trees(path: Path) -> Iterator[list[Phrase] | InputError]:
    # Bytes that are no UTF-8 become surrogates, so that only their own tree is lost.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(bounded_lines(file), 1):
            if line is None:
                yield InputError("too long", f"{path}, line {number}: {TOO_LONG}")
            elif line.strip():
                try:
                    yield parse_tree(line)
                except InputError as error:
                    yield InputError("bad value", f"{path}, line {number}: {error}")


def parse_tree(line: str) -> list[Phrase]:
    """Label and text of a tree's nodes, each before those below it, from left to right.

    Example:
        >>> parse_tree("(3 (2 It) (4 works))")
        [('3', 'It works'), ('2', 'It'), ('4', 'works')]

    Raises:
        InputError: ``bad value``: it is no tree of the labels 0 to 4.
    """
    if problem := unfit(line):
        raise InputError("bad value", problem)
    words: list[str] = []
    nodes: list[list[Any]] = []  # label, first word, word after the last
    opened: list[list[Any]] = []  # a stack, not a recursion: trees may be nested deeper than Python's calls
    before = ""
    for part in _PART.findall(line):
        if (nodes and not opened) or (not nodes and part != "("):
            raise _no_tree(f"{part!r} stands outside of the brackets", line)
        if before == "(" and part not in ("0", "1", "2", "3", "4"):
            raise _no_tree(f"a label should be 0 to 4; received {part!r}", line)
        if before == "(":
            opened[-1][0] = part
        elif part == "(":
            opened.append(["", len(words), 0])
            nodes.append(opened[-1])
        elif part == ")":
            node = opened.pop()
            node[2] = len(words)
            if node[1] == node[2]:
                raise _no_tree("a node holds no words", line)
        else:
            words.append(_unescaped(part))
        before = part
    if opened or not nodes:
        raise _no_tree("it ends before its brackets do", line)
    return [(label, " ".join(words[start:end])) for label, start, end in nodes]


def _unescaped(word: str) -> str:
    return _ESCAPED.get(word, word).replace("\\/", "/").replace("\\*", "*")


def _no_tree(what: str, line: str) -> InputError:
    shown = line.strip()
    return InputError("bad value", f"is no sentiment tree: {what}; received {shown[:80] + '...' * (len(shown) > 80)}")
