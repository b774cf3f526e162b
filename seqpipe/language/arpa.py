"""ARPA files of n-gram language models: read and written section by section, in blocks of lines."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NoReturn, cast

import numpy as np

from seqpipe.core.files import draft_file
from seqpipe.core.lines import bounded_lines
from seqpipe.errors import InputError

SUFFIXES = (".arpa", ".arpa.gz")
BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
"""How the beginning and the end of a text are written in the file, and what its vocabulary lacks."""
NO_PROBABILITY = -99.0
"""What stands for log10 0, of ``<s>``, which nothing predicts."""

_BLOCK = 2**15
_KENLM_BINARY = b"mmap lm http://kheafield.com/code"


@dataclass(frozen=True)
class Block:
    """Some n-grams of one order.

    Attributes:
        order: n, from 1.
        line: where the first one stands; the others follow line by line.
        words: ``n * len(log_probs)`` of them, one n-gram after the other.
        log_probs: log10 of the last word's probability behind the others, float32.
        backoffs: log10 of the back-off weight, float32; 0 where the file has none.
    """

    order: int
    line: int
    words: list[str]
    log_probs: np.ndarray
    backoffs: np.ndarray


class ArpaReader:
    """An ARPA file that is read once, from its beginning to its end; see `open_arpa`.

    What KenLM (0.3.0) refuses is refused: text before ``\\data\\`` but blank lines and comments (``#``), anything but
    blank lines behind ``\\end\\``, log-probabilities above 0 or not finite, and back-off weights of the highest order.
    Unlike KenLM's, columns may be parted by any run of blanks and tabs.

    Attributes:
        path: the file.
        counts: how many n-grams of each order there are, from 1 on, as the header states it.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self._lines, self._number = path, iter(bounded_lines(file)), 0
        self.counts = self._header()

    def sections(self) -> Iterator[Iterator[Block]]:
        """The n-grams of each order, from 1 on; those of one must be read before the next is asked for.

        Raises:
            InputError: the file breaks off, lacks a section, holds more or fewer n-grams than its header states, or a
                line that can't be read; file and line are named.
        """
        for order, count in enumerate(self.counts, 1):
            heading = self._filled()
            if heading.rstrip() != b"\\%d-grams:" % order:
                if order > 1 and not heading.startswith(b"\\"):
                    before = self.counts[order - 2]
                    self.refuse(f"more than the {before:,} {order - 1}-grams that the header states")
                self.refuse(f"the section \\{order}-grams: should begin here; received {_shown(heading)}")
            yield self._section(order, count)
        last = self._filled()
        if last.rstrip() != b"\\end\\":
            if not last.startswith(b"\\"):
                self.refuse(f"more than the {self.counts[-1]:,} {len(self.counts)}-grams that the header states")
            self.refuse(f"\\end\\ should stand here; received {_shown(last)}")
        for line in self._lines:
            self._number += 1
            if line is None or line.strip():
                self.refuse(f"\\end\\ stands above, and nothing may follow it; received {_shown(line)}")

    def _section(self, order: int, count: int) -> Iterator[Block]:
        for done in range(0, count, _BLOCK):
            first, size = self._number + 1, min(_BLOCK, count - done)
            rows = [(line or b"").split() for line in islice(self._lines, size)]
            lengths = np.fromiter(map(len, rows), np.int64, len(rows))
            wrong = np.flatnonzero((lengths != order + 1) & (lengths != order + 2))
            if len(wrong):
                row = rows[wrong[0]]
                if not row or (len(row) == 1 and row[0].startswith(b"\\")):
                    what = f"{done + wrong[0]:,} {order}-grams stand above, and the header states {count:,}"
                else:
                    what = f"should hold a log-probability, {order} words and, at most, a back-off weight"
                self._name(first, rows, int(wrong[0]), what)
            self._number += len(rows)
            if len(rows) < size:
                self._line(f"{order}-gram {done + len(rows) + 1:,} of {count:,}")  # which raises: there is none
            yield self._block(order, first, rows, lengths == order + 2)

    def refuse(self, what: str, line: int | None = None) -> NoReturn:
        """Raise the error of a line, the last one that was read if none is given."""
        raise InputError(
            "undecodable",
            f"{self.path}, line {self._number if line is None else line}: {what}; restore the file, or write it anew",
        )

    def _line(self, missing: str) -> bytes:
        line = next(self._lines, b"")
        self._number += 1
        if line == b"":
            raise InputError(
                "truncated",
                f"{self.path}: ends after line {self._number - 1}, before {missing}; restore it, or write it anew",
            )
        if line is None:
            self.refuse("is too long to be one of an ARPA file")
        return line

    def _filled(self) -> bytes:
        """The next line that isn't blank."""
        while not (line := self._line("\\end\\")).strip():
            pass
        return line

    def _header(self) -> list[int]:
        while not (line := self._line("\\data\\")).strip() or line.startswith(b"#"):
            pass
        if line.strip() != b"\\data\\":
            if line.startswith(_KENLM_BINARY):
                raise InputError(
                    "undecodable", f"{self.path}: is KenLM's binary form; give the ARPA file that it was built from"
                )
            self.refuse(f"is no ARPA file: \\data\\ should stand here; received {_shown(line)}")
        counts: list[int] = []
        while (line := self._line("the counts of n-grams")).strip():
            found = re.fullmatch(rb"ngram\s+(\d{1,2})\s*=\s*(\d{1,15})\s*", line)
            if found is None or int(found[1]) != len(counts) + 1:
                self.refuse(f"should be ngram {len(counts) + 1}=NUMBER, or blank; received {_shown(line)}")
            counts.append(int(found[2]))
        if not counts:
            self.refuse("the header states no counts (ngram 1=NUMBER)")
        return counts

    def _block(self, order: int, first: int, rows: list[list[bytes]], has_backoff: np.ndarray) -> Block:
        """Rows of fields as arrays; where that fails, the first line that is at fault is found."""
        log_probs = self._numbers([row[0] for row in rows], "log-probability", first, rows)
        backoffs = np.zeros(len(rows), np.float32)
        given = np.flatnonzero(has_backoff)
        backoffs[given] = self._numbers([rows[place][-1] for place in given], "back-off weight", first, rows, given)
        if (log_probs > 0).any():
            self._name(first, rows, int((log_probs > 0).argmax()), "the log-probability is above 0")
        if order == len(self.counts) and backoffs.any():
            self._name(first, rows, int((backoffs != 0).argmax()), "the highest order has no back-off weights")
        words = [word for row in rows for word in row[1 : order + 1]]
        try:
            text = b" ".join(words).decode()
        except UnicodeDecodeError:
            place = next(place for place, row in enumerate(rows) if not _is_text(b" ".join(row)))
            self._name(first, rows, place, "is not UTF-8 text")
        return Block(order, first, text.split(" "), log_probs, backoffs)

    def _numbers(
        self, fields: list[bytes], what: str, first: int, rows: list[list[bytes]], places: np.ndarray | None = None
    ) -> np.ndarray:
        try:
            values = np.array(list(map(float, fields)), np.float64).astype(np.float32)
            bad = ~np.isfinite(values)
        except ValueError:
            bad = np.array([not _is_number(field) for field in fields])
        if not bad.any() and b"_" in b"".join(fields):  # which Python takes within numbers
            bad = np.array([b"_" in field for field in fields])
        if bad.any():
            place = int(bad.argmax())
            row = place if places is None else int(places[place])
            self._name(first, rows, row, f"{_shown(fields[place])} is no {what}")
        return values

    def _name(self, first: int, rows: list[list[bytes]], place: int, what: str) -> NoReturn:
        self.refuse(f"{what}; received {_shown(b' '.join(rows[place]))}", first + place)


def _is_number(field: bytes) -> bool:
    try:
        return bool(np.isfinite(float(field)))
    except ValueError:
        return False


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(line: bytes | None) -> str:
    return repr((line or b"").decode(errors="replace").rstrip("\r\n"))[:80]


def holds_arpa(path: Path) -> bool:
    """Whether a path is that of a file in this format, by its name."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


@contextmanager
def open_arpa(path: Path) -> Iterator[ArpaReader]:
    """An ARPA file to read from; unpacked where its name ends with ``.gz``.

    Raises:
        InputError: it can't be opened or unpacked, its header can't be read, or what `ArpaReader.sections` says.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield ArpaReader(path, cast(IO[bytes], file))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError("truncated", f"{path}: can't be unpacked; is it cut off? ({error})") from None
    except OSError as error:
        raise InputError("unreadable", f"{path}: {error.strerror or error}") from None


Entries = Iterable[tuple[list[str], np.ndarray, np.ndarray]]
"""Blocks of one order: n-grams as words with a space between two; log10 of probabilities; of back-off weights, which
don't matter for the highest order."""


def write_arpa(path: Path, counts: list[int], sections: Iterable[Entries]) -> None:
    """Write an ARPA file, whole or not at all; packed where its name ends with ``.gz``, to the same bytes each time.

    Numbers have nine digits, which give every float32 back as it was.

    Args:
        path: of the file.
        counts: of n-grams of each order, from 1 on.
        sections: the n-grams of each order.

    Raises:
        OSError: it can't be written.
    """
    with draft_file(path) as draft:
        if path.suffix.lower() == ".gz":
            with gzip.GzipFile(filename="", fileobj=draft, mode="wb", compresslevel=6, mtime=0) as packed:
                _write(cast(IO[bytes], packed), counts, sections)
        else:
            _write(draft, counts, sections)


def _write(file: IO[bytes], counts: list[int], sections: Iterable[Entries]) -> None:
    head = [f"ngram {order}={count}\n" for order, count in enumerate(counts, 1)]
    file.write("".join(["\\data\\\n", *head]).encode())
    for order, section in enumerate(sections, 1):
        file.write(f"\n\\{order}-grams:\n".encode())
        for ngrams, log_probs, backoffs in section:
            values = np.asarray(log_probs, np.float32).tolist()
            if order == len(counts):
                lines = [f"{value:.9g}\t{ngram}\n" for value, ngram in zip(values, ngrams, strict=True)]
            else:
                rows = zip(values, ngrams, np.asarray(backoffs, np.float32).tolist(), strict=True)
                lines = [f"{value:.9g}\t{ngram}\t{weight:.9g}\n" for value, ngram, weight in rows]
            file.write("".join(lines).encode())
    file.write(b"\n\\end\\\n")
