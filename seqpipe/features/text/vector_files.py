"""The files that GloVe, fastText and word2vec write, a vector at a time: memory doesn't grow with the file."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import DataError

BLOCK = 2**18
"""Bytes that are read at a time."""
LONGEST_WORD = 2**16
"""Bytes; what goes on for longer without a space is no word."""
_WIDEST_VALUE = 64
"""Bytes that a value takes in text, its space included."""
_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(\d+)[ \t]+(\d+)[ \t]*\r?")
_READ = "GloVe .txt, fastText .vec, word2vec text and .bin are read, also as .gz"


class Entry(NamedTuple):
    """A word of a file, its vector not parsed yet.

    Attributes:
        place: number of its line, or (binary) which vector of the file it is, from 1 on.
        word: its bytes.
        raw: those of its vector.
    """

    place: int
    word: bytes
    raw: bytes


class TextVectors:
    """A line for each word: the word, and D decimal numbers with white space between.

    Words may hold spaces, as some of GloVe's do: the vector is the last D fields.

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
        if self.promised is not None:
            self.file.readline()
            number = 1
        while line := self.file.readline(longest):
            number += 1
            if len(line) == longest:
                raise _error(self, number, f"is longer than {longest} bytes, so no line of {self.size} values")
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            line = line.rstrip()
            if not line:
                continue
            if line.count(b" ") == self.size:  # nearly always, and much faster than taking it apart
                word, _, raw = line.partition(b" ")
            else:
                word, raw = self._part(number, line, first=not found)
            found += 1
            yield Entry(number, word, raw)
        if found < (self.promised or 1):
            promised = "" if self.promised is None else f" of the {self.promised:,} that its first line promises"
            raise DataError(f"{self.path}: holds {found:,} vectors{promised}; it was cut off, so fetch it again")

    def _part(self, number: int, line: bytes, *, first: bool) -> tuple[bytes, bytes]:
        fields = line.split()
        further = fields[1 : max(1, len(fields) - self.size)]
        if len(fields) == self.size and line[:1].isspace():
            return b"", line  # the word itself is white space, and none of a vocabulary
        # "10 000" is a word with a space; "the" before too many numbers is a vector of another size.
        if len(fields) <= self.size or (further and all(map(_is_number, further)) and not _is_number(fields[0])):
            raise self._other_size(number, len(fields) - 1, first=first)
        word, *values = line.rsplit(None, self.size)
        return word.strip(), b" ".join(values)

    def _other_size(self, number: int, got: int, *, first: bool) -> DataError:
        hint = "Embedding.size should be the file's" if first else "the lines before it have that many"
        return _error(self, number, f"has {got} values after its word, Embedding.size is {self.size}; {hint}")

    def values(self, entry: Entry) -> NDArray[np.float32]:
        """The vector of an entry, ``[D]``.

        Raises:
            DataError: a value is no finite number.
        """
        fields = entry.raw.split()
        if len(fields) != self.size:
            raise self._other_size(entry.place, len(fields), first=False)
        try:
            values = np.array([float(field) for field in fields])
        except ValueError:
            wrong = next(field for field in fields if not _is_number(field))
            shown = wrong[:40].decode(errors="replace")
            raise _error(self, entry.place, f"the value {shown!r} is no number") from None
        return _finite(self, entry, values)


class BinaryVectors:
    """What word2vec writes with ``-binary 1``: a line of counts, then each word, a space and D little-endian floats.

    Args: as of `TextVectors`.
    """

    place = "vector"

    def __init__(self, file: BinaryIO, path: Path, size: int, promised: int) -> None:
        self.file, self.path, self.size, self.promised = file, path, size, promised

    def entries(self) -> Iterator[Entry]:
        """All words of the file.

        Raises:
            DataError: it ends before it should, or what should be a word is none.
        """
        self.file.readline()
        buffer, begin = b"", 0
        for number in range(1, self.promised + 1):
            while True:
                space = buffer.find(b" ", begin)
                end = space + 1 + 4 * self.size
                if space >= 0 and end <= len(buffer):
                    break
                if space < 0 and len(buffer) - begin > LONGEST_WORD:
                    raise _error(self, number, f"has no word of at most {LONGEST_WORD} bytes; the file is damaged")
                block = self.file.read(BLOCK)
                if not block:
                    raise _error(
                        self,
                        number,
                        f"is cut off, of the {self.promised:,} that the first line promises; fetch the file again",
                    )
                buffer, begin = buffer[begin:] + block, 0
            # Some programs end a vector with a newline, which so stands before the next word.
            yield Entry(number, buffer[begin:space].lstrip(b"\n"), buffer[space + 1 : end])
            begin = end

    def values(self, entry: Entry) -> NDArray[np.float32]:
        """The vector of an entry, ``[D]``.

        Raises:
            DataError: a value is no finite number.
        """
        return _finite(self, entry, np.frombuffer(entry.raw, dtype="<f4"))


@contextmanager
def open_vectors(path: Path, size: int) -> Iterator[TextVectors | BinaryVectors]:
    """Open a file of vectors; of which kind it is, its content says, whatever its name.

    Args:
        path: of the file.
        size: D, that its vectors should have.

    Raises:
        DataError: it can't be read, is empty, is another kind of file, or its first line speaks of another D.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw
            yield _recognized(file, path, size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip file is damaged or cut off ({error}); fetch it again") from None
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file of word vectors (Embedding.vectors)") from None
    except OSError as error:
        raise DataError(f"{path}: the word vectors can't be read: {error.strerror or error}") from None


def _recognized(file: BinaryIO, path: Path, size: int) -> TextVectors | BinaryVectors:
    head = file.read(2 * LONGEST_WORD + 4 * size)
    file.seek(0)
    if not head.strip():
        raise DataError(f"{path}: is empty; a file of word vectors is wanted ({_READ})")
    if head.startswith(b"PK\x03\x04"):
        raise DataError(f"{path}: is a zip archive; unpack it, and name the file inside ({_READ})")
    if head.startswith(b"\xba\x16\x4f\x2f"):
        raise DataError(f"{path}: is a whole fastText model; its vectors are in the .vec file beside it")
    first, _, rest = head.partition(b"\n")
    header = _HEADER.fullmatch(first)
    if header is None:
        if b"\0" in head:
            raise DataError(f"{path}: is no file of word vectors ({_READ})")
        return TextVectors(file, path, size, None)
    promised, its_size = int(header[1]), int(header[2])
    if its_size != size:
        raise DataError(
            f"{path}, line 1: speaks of vectors of {its_size} values, Embedding.size is {size}; Embedding.size should "
            "be the file's"
        )
    values = rest.partition(b" ")[2][: 4 * size]
    return BinaryVectors(file, path, size, promised) if _is_binary(values) else TextVectors(file, path, size, promised)


def _is_binary(values: bytes) -> bool:
    """Whether bytes that should be values are none of text: of random floats, 4 bytes in 10 could be."""
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in values)
    return printable < 0.75 * len(values) or any(byte < 32 and byte not in b"\t\r\n" for byte in values)


def _finite(source: TextVectors | BinaryVectors, entry: Entry, values: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        wrong = values[~np.isfinite(single)][0]
        raise _error(source, entry.place, f"the value {wrong} is no finite number (in 32 bits)")
    return single


def _error(source: TextVectors | BinaryVectors, place: int, message: str) -> DataError:
    return DataError(f"{source.path}, {source.place} {place}: {message}")


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
