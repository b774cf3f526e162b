"""Column files, as the CoNLL shared tasks have them: a token a line, a blank line after each sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seqpipe.config.recipe import DataConfig
from seqpipe.errors import InputError
from seqpipe.text.validity import unfit

COLUMN_SUFFIXES = frozenset({".tsv", ".conll", ".conllu", ".iob", ".iob2", ".bio", ".col"})
"""Endings by which ``seqpipe infer`` knows a column file, of a run that was trained on such."""

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""Columns of CoNLL-U (universaldependencies.org/format.html): known by ten fields in a file ``.conllu``."""

MAX_WORDS = 100_000
"""Of a sentence; a file without blank lines isn't collected in memory as one of a million."""

_KEYED = re.compile(r"# ?([\w:.\[\]-]+) =(?: (.*))?$")  # "# sent_id = weblog-0001"
_NO_WORD = re.compile(r"\d+[-.]\d+$")  # in CoNLL-U "3-4" is a written form that has two words, "8.1" an elided word
_CELL = re.compile(r"[^ \t\r\f\v]+")  # not str.split, which takes a no-break space for a separator

Sentence = dict[str, list[str] | str]


def read_column_file(
    path: Path, config: DataConfig, *, needs_target: bool
) -> Iterator[tuple[int, Sentence | InputError, str]]:
    """Sentences of a file as (number from 1, columns, id), one at a time; the file is read as they are asked for.

    Fields are separated by tabs if the first token's line has a tab, else by runs of blanks. Lines ``-DOCSTART-`` are
    left out, comments before a sentence (``# ...``) too, and of a file whose first column is named ``id`` the ranges
    and empty nodes of CoNLL-U, so that what is left are the syntactic words.

    A line ``#`` with as many fields as the others is a token, since texts of the net have such words.

    Args:
        path: the file, UTF-8.
        config: ``columns`` names the columns in their order. Without it they are called ``1``, ``2``, ..., or as
            `CONLLU` says. Rows without targets may have fewer: a single column is the input, more are the first ones.
        needs_target: as for `read_rows`.

    Returns:
        For each sentence its number, its columns as lists of words, and its id: that of a comment ``# sent_id = ...``
        (which is also the column ``sent_id``), else an empty one. A sentence that can't be used is an `InputError`
        (``bad value``) that names file, line and sentence; the others are not harmed.

    Raises:
        OSError: the file can't be opened or read.
    """
    for number, sentence in enumerate(_sentences(path, config, needs_target), 1):
        if sentence.problem:
            line, what = sentence.problem
            yield number, InputError("bad value", f"{path}, line {line} (sentence {number}): {what}"), sentence.id
            continue
        columns: Sentence = {"sent_id": sentence.id} if sentence.id else {}
        columns |= {name: [token[place] for token in sentence.tokens] for place, name in enumerate(sentence.names)}
        yield number, columns, sentence.id


def count_column_file(path: Path, config: DataConfig) -> int:
    """How many sentences `read_column_file` will give where no targets are needed; raises as it does."""
    return sum(1 for _ in _sentences(path, config, needs_target=False))


@dataclass(slots=True)
class _Sentence:
    id: str = ""
    names: Sequence[str] = ()
    tokens: list[list[str]] = field(default_factory=list)  # the fields of each
    begun: bool = False
    problem: tuple[int, str] | None = None  # the number of the line, and what is wrong there; the first one


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the lines of a file are divided: the first token tells."""

    names: Sequence[str]
    tabs: bool
    input: str
    needed: frozenset[str]

    @classmethod
    def of(cls, line: str, path: Path, config: DataConfig, needs_target: bool) -> _Layout:
        tabs = "\t" in line
        count = len(_fields(line, tabs))
        names: Sequence[str] = config.columns or [str(place + 1) for place in range(count)]
        if path.suffix.lower() == ".conllu" and count == len(CONLLU) != len(config.columns or ()):
            names = names if config.input.isdecimal() else CONLLU
        elif not needs_target and count == 1:
            names = [config.input]
        elif not needs_target and count < len(names):
            names = names[:count]
        return cls(names, tabs, config.input, frozenset({config.input, config.target}))

    def token(self, line: str) -> list[str] | None:
        """Fields of a line; None if it stands for no word."""
        fields = _fields(line, self.tabs)
        return None if self.names[0] == "id" and _NO_WORD.match(fields[0]) else fields

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


def _sentences(path: Path, config: DataConfig, needs_target: bool) -> Iterator[_Sentence]:
    layout: _Layout | None = None
    sentence = _Sentence()
    # Bytes that are no UTF-8 become surrogates, so that only their own sentence is lost.
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            ends = not line.strip() or line.startswith("-DOCSTART-")
            if ends:
                if sentence.begun:
                    yield sentence
                sentence = _Sentence()
                continue
            if not sentence.begun and _is_comment(line, layout, config.columns):
                if (keyed := _KEYED.match(line)) and keyed[1] == "sent_id" and not unfit(line):
                    sentence.id = (keyed[2] or "").strip()
                continue
            layout = layout or _Layout.of(line, path, config, needs_target)
            fields = layout.token(line)
            sentence.begun, sentence.names = True, layout.names
            if fields is None or sentence.problem:
                continue
            if what := layout.problem(line, fields):
                sentence.problem = number, what
            elif len(sentence.tokens) == MAX_WORDS:
                sentence.problem = number, f"has more than {MAX_WORDS} words; a blank line should end each sentence"
            else:
                sentence.tokens.append(fields)
                continue
            sentence.tokens.clear()
        if sentence.begun:
            yield sentence


def _is_comment(line: str, layout: _Layout | None, names: Sequence[str] | None) -> bool:
    """Whether a line before the first token of a sentence says something about it."""
    if not line.startswith("#"):
        return False
    if _KEYED.match(line):
        return True
    if not (line == "#" or line.startswith(("# ", "#begin ", "#end "))) or "\t" in line:
        return False
    if layout is None and line == "#":  # a comment that says nothing, or a file of words that begins with this one
        return False
    count = len(layout.names) if layout else len(names or ())
    found = len(_fields(line, layout is not None and layout.tabs))
    return found != count if count else found > 1
