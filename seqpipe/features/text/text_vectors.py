"""Word vectors as text: a word and its values a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import DataError
from seqpipe.features.text.vector_entry import LONGEST_WORD, Entry, finite_values, vector_error

_WIDEST_VALUE = 64
"""Bytes that a value takes in text, its space included."""
_HEAD = 2**17
"""Bytes in whose lines the usual number of values is counted."""


class TextVectors:
    """A line for each word: the word, and D decimal numbers with white space between.

    Words may hold spaces, as some of GloVe's do (``at name@domain.com``): the vector is the last D fields.

    Args:
        file: at its beginning.
        path: for messages.
        size: D.
        promised: vectors that a first line speaks of; None where there is no such line.
    """

    place = "line"

    def __init__(self, file: BinaryIO, path: Path, size: int, promised: int | None) -> None:
        self.file, self.path, self.size, self.promised = file, path, size, promised

    def entries(self) -> Iterator[Entry]:
        """All words of the file.

        Raises:
            DataError: a line has another number of values, or the file holds fewer vectors than it says.
        """
        longest = LONGEST_WORD + _WIDEST_VALUE * self.size
        found, number = 0, 0
        self._check_size()
        if self.promised is not None:
            self.file.readline()
            number = 1
        while line := self.file.readline(longest):
            number += 1
            if len(line) == longest:
                raise vector_error(self, number, f"is longer than {longest} bytes, so no line of {self.size} values")
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            line = line.rstrip()
            if not line:
                continue
            if line.count(b" ") == self.size:  # nearly always, and much faster than taking it apart
                word, _, raw = line.partition(b" ")
            else:
                word, raw = self._part(number, line)
            found += 1
            yield Entry(number, word, raw)
        if found < (self.promised or 1):
            promised = "" if self.promised is None else f" of the {self.promised:,} that its first line promises"
            raise DataError(f"{self.path}: holds {found:,} vectors{promised}; it was cut off, so fetch it again")

    def _check_size(self) -> None:
        """See that no other number of values is more frequent in the first lines than D."""
        head = self.file.read(_HEAD)
        self.file.seek(0)
        lines = head.split(b"\n")
        if len(head) == _HEAD:
            lines.pop()  # cut off
        first = 1 if self.promised is None else 2
        sizes = {number: len(line.split()) - 1 for number, line in enumerate(lines, 1) if line.strip()}
        counts = Counter(size for number, size in sizes.items() if number >= first)
        usual, count = counts.most_common(1)[0] if counts else (self.size, 0)
        if usual != self.size and count > counts[self.size]:
            number = next(number for number, size in sizes.items() if number >= first and size == usual)
            raise self._other_size(number, usual, "Embedding.size should be the file's")

    def _part(self, number: int, line: bytes) -> tuple[bytes, bytes]:
        fields = line.split()
        if len(fields) == self.size and line[:1].isspace():
            return b"", line  # the word itself is white space, and none of a vocabulary
        further = fields[1 : max(1, len(fields) - self.size)]
        if len(fields) <= self.size:
            raise self._other_size(number, len(fields) - 1, "other lines have that many")
        if len(further) >= self.size > 1 and sum(map(_is_number, further)) >= self.size - 1:
            raise vector_error(
                self, number, f"has {len(fields)} fields, as two lines that lack the line break between them"
            )
        word, *values = line.rsplit(None, self.size)
        return word.strip(), b" ".join(values)

    def _other_size(self, number: int, got: int, hint: str) -> DataError:
        return vector_error(self, number, f"has {got} values after its word, Embedding.size is {self.size}; {hint}")

    def values(self, entry: Entry) -> NDArray[np.float32]:
        """The vector of an entry, ``[D]``.

        Raises:
            DataError: a value is no finite number.
        """
        fields = entry.raw.split()
        if len(fields) != self.size:
            raise self._other_size(entry.place, len(fields), "other lines have that many")
        try:
            values = np.array([float(field) for field in fields if b"_" not in field])
        except ValueError:
            values = np.empty(0)
        if len(values) < self.size:
            wrong = next(field for field in fields if not _is_number(field))
            shown = wrong[:40].decode(errors="replace")
            raise vector_error(self, entry.place, f"the value {shown!r} is no number")
        return finite_values(self, entry, values)


def _is_number(field: bytes) -> bool:
    if b"_" in field:  # which Python reads in numbers
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True
