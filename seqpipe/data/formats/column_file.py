"""Column files, as the CoNLL shared tasks have them: a token a line, a blank line after each sentence."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, dropwhile
from pathlib import Path

from seqpipe.core.lines import TOO_LONG, bounded_lines
from seqpipe.core.naming import Naming
from seqpipe.errors import InputError
from seqpipe.text.validity import unfit

COLUMN_SUFFIXES = frozenset({".tsv", ".conll", ".conllu", ".iob", ".iob2", ".bio", ".col"})
"""Endings by which ``seqpipe infer`` knows a column file, of a run that was trained on such."""

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""Columns of CoNLL-U (universaldependencies.org/format.html): known by ten fields in a file ``.conllu``."""

MAX_WORDS = 100_000
"""Of a sentence; a file without blank lines isn't collected in memory as one of a million."""

MAX_VALUES = 10_000
"""Values of a column that are remembered to tell words from comments: tags are fewer, and lemmas mustn't pile up."""

_COMMENT = re.compile(r"#(?:[ \t]|begin |end |$)")  # "#begin document (bc/cnn): part 000" is of CoNLL-2012
_KEYED = re.compile(r"# ?([\w:.\[\]-]+) =(?: (.*))?$")  # "# sent_id = weblog-0001"
_NO_WORD = re.compile(r"\d+[-.]\d+$")  # in CoNLL-U "3-4" is a written form that has two words, "8.1" an elided word
_CELL = re.compile(r"[^ \t\r\f\v]+")  # not str.split, which takes a no-break space for a separator

Sentence = dict[str, list[str] | str]


def read_column_file(
    path: Path, config: Naming, *, needs_target: bool
) -> Iterator[tuple[int, Sentence | InputError, str]]:
    """Sentences of a file as (number from 1, columns, id), one at a time; the file is read as they are asked for.

    Fields are separated by tabs if the first token's line has a tab, else by runs of blanks. Lines ``-DOCSTART-`` are
    left out, comments before a sentence too, and of a file whose first column is named ``id`` the ranges and empty
    nodes of CoNLL-U, so that what is left are the syntactic words.

    A comment is a line before a sentence that begins with ``#`` and a blank or a tab, however many fields it has. Texts
    of the net have sentences that begin with the word ``#``: that is what such a line is if it has as many fields as
    the others and, where the target stands, what a word before it or in its sentence has there (behind ``#`` and a tab,
    anything without blanks). Within a sentence ``#`` is a word.

    Args:
        path: the file, UTF-8.
        config: ``columns`` names the columns in their order. Without it they are called ``1``, ``2``, ..., or as
            `CONLLU` says. Rows without targets may have fewer: a single column is the input, more are the first ones.
        needs_target: as for `read_rows`.

    Returns:
        For each sentence its number, its columns as lists of words, and its id: that of a comment ``# sent_id = ...``
        (which is also the column ``sent_id``), else an empty one. A sentence that can't be used is an `InputError`
        (``bad value``, ``too long``) that names file, line and sentence; the others are not harmed.

    Raises:
        OSError: the file can't be opened or read.
    """
    for number, sentence in enumerate(_sentences(path, config, needs_target), 1):
        if sentence.problem:
            line, what = sentence.problem
            kind = "too long" if what == TOO_LONG else "bad value"
            yield number, InputError(kind, f"{path}, line {line} (sentence {number}): {what}"), sentence.id
            continue
        columns: Sentence = {"sent_id": sentence.id} if sentence.id else {}
        columns |= {name: [token[place] for token in sentence.tokens] for place, name in enumerate(sentence.names)}
        yield number, columns, sentence.id


def count_column_file(path: Path, config: Naming) -> int:
    """How many sentences `read_column_file` will give where no targets are needed; raises as it does."""
    return sum(1 for _ in _sentences(path, config, needs_target=False))


@dataclass(slots=True)
class _Sentence:
    id: str = ""
    names: Sequence[str] = ()
    tokens: list[list[str]] = field(default_factory=list)  # the fields of each
    begun: bool = False
    problem: tuple[int, str] | None = None  # the number of the line, and what is wrong there; the first one
    opening: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MAX_WORDS))
    """Lines before the first token that are comments, or the first words; with their numbers."""

    def add(self, layout: _Layout, number: int, line: str) -> None:
        """Take the line of a token in."""
        fields = layout.token(line)
        self.begun, self.names = True, layout.names
        if fields is None or self.problem:
            return
        if what := layout.problem(line, fields):
            self.problem = number, what
        elif len(self.tokens) == MAX_WORDS:
            self.problem = number, f"has more than {MAX_WORDS} words; a blank line should end each sentence"
        else:
            layout.remember(fields)
            self.tokens.append(fields)
            return
        self.tokens.clear()

    def open_with(self, layout: _Layout) -> None:
        """Put words that looked like comments before the others: from the first one on, they stand in the sentence."""
        first = _Sentence()
        for number, line in dropwhile(lambda one: not layout.is_word(one[1]), self.opening):
            first.add(layout, number, line)
        if first.begun:
            self.begun, self.names = True, layout.names
            self.problem = first.problem or self.problem
            self.tokens = [] if self.problem else first.tokens + self.tokens


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the lines of a file are divided: the first token tells."""

    names: Sequence[str]
    tabs: bool
    input: str
    needed: frozenset[str]
    told_by: int  # the place of the column that tells a word from a comment: the target's, else the last
    values: set[str] = field(default_factory=set)  # of that column, so far

    @classmethod
    def of(cls, line: str, path: Path, config: Naming, needs_target: bool) -> _Layout:
        tabs = "\t" in line
        count = len(_fields(line, tabs))
        names: Sequence[str] = config.columns or [str(place + 1) for place in range(count)]
        if path.suffix.lower() == ".conllu" and count == len(CONLLU) != len(config.columns or ()):
            names = names if config.input.isdecimal() else CONLLU
        elif not needs_target and count == 1:
            names = [config.input]
        elif not needs_target and count < len(names):
            names = names[:count]
        told_by = names.index(config.target) if config.target in names else len(names) - 1
        return cls(names, tabs, config.input, frozenset({config.input, config.target}), told_by)

    def token(self, line: str) -> list[str] | None:
        """Fields of a line; None if it stands for no word."""
        fields = _fields(line, self.tabs)
        return None if self.names[0] == "id" and _NO_WORD.match(fields[0]) else fields

    def is_word(self, line: str) -> bool:
        """Whether a line before a sentence that looks like a comment is a word of it."""
        fields = _fields(line, self.tabs)
        if len(fields) != len(self.names) or self.names[0] not in self.needed:  # no number or document is called "#"
            return False
        value = fields[self.told_by]
        if value in self.values or self.names[self.told_by] == self.input:
            return True
        return line.startswith("#\t") and " " not in value  # of two columns too, GermEval's "# <tab> address [date]"

    def remember(self, fields: list[str]) -> None:
        """Keep what a token has in the column that tells words from comments."""
        if len(self.values) < MAX_VALUES:
            self.values.add(fields[self.told_by])

    def problem(self, line: str, fields: list[str]) -> str | None:
        """What is wrong with a token's line; else None."""
        if found := unfit(line):
            return found
        if len(fields) != len(self.names):
            by = "tabs" if self.tabs else "white space"
            shown = line if len(line) <= 80 else f"{line[:80]}..."
            return (
                f"has {len(fields)} fields (by {by}) where there should be {len(self.names)} "
                f"({', '.join(self.names)}); received {shown!r}"
            )
        for name, cell in zip(self.names, fields, strict=True):
            if name in self.needed and not cell.strip():
                return f"has nothing in the column {name}; received {line!r}"
        return None


def _fields(line: str, tabs: bool) -> list[str]:
    return line.split("\t") if tabs else _CELL.findall(line)


def _sentences(path: Path, config: Naming, needs_target: bool) -> Iterator[_Sentence]:
    layout: _Layout | None = None
    sentence = _Sentence()
    # Bytes that are no UTF-8 become surrogates, so that only their own sentence is lost.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, read in enumerate(chain(bounded_lines(file), [""]), 1):
            if read is None:
                sentence.begun, sentence.problem = True, sentence.problem or (number, TOO_LONG)
                sentence.tokens.clear()
                continue
            line = read.rstrip("\n")
            if not line.strip() or line.startswith("-DOCSTART-"):
                if layout := layout or _layout_of(sentence.opening, path, config, needs_target):
                    sentence.open_with(layout)
                if sentence.begun:
                    yield sentence
                sentence = _Sentence()
            elif not sentence.begun and (keyed := _KEYED.match(line)):
                if keyed[1] == "sent_id" and not unfit(line):
                    sentence.id = (keyed[2] or "").strip()
            elif not sentence.begun and _COMMENT.match(line):
                sentence.opening.append((number, line))
            else:
                layout = layout or _Layout.of(line, path, config, needs_target)
                sentence.add(layout, number, line)


def _layout_of(opening: Iterable[tuple[int, str]], path: Path, config: Naming, needs_target: bool) -> _Layout | None:
    """By lines that look like comments and are followed by no others; None if all of them may be comments."""
    for _, line in opening:
        layout = _Layout.of(line, path, config, needs_target)
        if (config.columns or line == "#") and layout.is_word(line):
            return layout
    return None
