"""Word vectors as word2vec and gensim write them in binary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from seqpipe.features.text.vector_entry import LONGEST_WORD, Entry, finite_values, vector_error

BLOCK = 2**18
"""Bytes that are read at a time."""
_MOST_SPACES = 64
"""In a word of a binary file."""
_SMALLEST, _LARGEST = 2.0**-61, 2.0**35
"""Of values in a binary file, but for 0: 4e-19 and 3e10. Whose highest byte is a space is smaller."""
_USUAL_BYTES = bytes(sign | byte for sign in (0, 0x80) for byte in range(0x21, 0x51))
"""The highest bytes of such values."""
_CONTROLS = bytes(range(32)) + b"\x7f"


class BinaryVectors:
    """What word2vec writes with ``-binary 1``: a line of counts, then each word, a space and D little-endian floats.

    A word may hold spaces, and nothing says where it ends. It ends at the first space behind which D values of usual
    size stand, and behind these what ends every vector of the file: a line break (word2vec) or nothing (gensim). Bytes
    that are read some places too early look otherwise: a third of such values is over 1e10, and of a value that ends
    with the word's own space the size is 1e-19.

    Args: as of `TextVectors`.
    """

    place = "vector"

    def __init__(self, file: BinaryIO, path: Path, size: int, promised: int) -> None:
        self.file, self.path, self.size, self.promised = file, path, size, promised
        self._end: bytes | None = None  # of every vector; the first one tells

    def entries(self) -> Iterator[Entry]:
        """All words of the file.

        Raises:
            DataError: it ends before it should, or what should be a word and its vector is neither.
        """
        self.file.readline()
        buffer, begin = b"", 0
        needed = LONGEST_WORD + 4 * self.size + 2
        for number in range(1, self.promised + 1):
            while len(buffer) - begin < needed and (block := self.file.read(BLOCK)):
                buffer, begin = buffer[begin:] + block, 0
            space = self._space(buffer, begin, number)
            end = space + 1 + 4 * self.size
            yield Entry(number, buffer[begin:space], buffer[space + 1 : end])
            begin = end + len(self._end or b"")

    def _space(self, buffer: bytes, begin: int, number: int) -> int:
        """Where the word that begins here ends, and notes what ends vectors if that isn't known yet."""
        space = buffer.find(b" ", begin, begin + LONGEST_WORD)
        if space >= 0 and self._end is not None and self._fits(buffer, begin, space, self._end, _is_usual):
            return space  # nearly always
        spaces: list[int] = []
        while space >= 0 and len(spaces) < _MOST_SPACES:
            spaces.append(space)
            space = buffer.find(b" ", space + 1, begin + LONGEST_WORD)
        self._check_whole(buffer, begin, spaces, number)
        ends = (b"\n", b"") if self._end is None else (self._end,)
        # Values may be unusual after all: 1e-20 where rounding left it, or damaged ones between good vectors.
        for end, allowed in (*((end, _is_usual) for end in ends), (b"\n", _is_any), (b"", _is_bounded)):
            for space in spaces if end in ends else ():
                if self._fits(buffer, begin, space, end, allowed):
                    self._end = end
                    return space
        word = buffer[begin : spaces[0]][:40].decode(errors="replace")
        values = self._floats(buffer, spaces[0])
        raise vector_error(
            self,
            number,
            f"is garbled: wherever its word may end ({word!r}, say), no {self.size} values like a word's follow"
            f"{' with a line break' if self._end else ''} (the largest is {np.abs(values).max():.3g}); the file is "
            "damaged, so fetch it again",
        )

    def _check_whole(self, buffer: bytes, begin: int, spaces: list[int], number: int) -> None:
        if not spaces and len(buffer) - begin > LONGEST_WORD:
            raise vector_error(self, number, f"has no word of at most {LONGEST_WORD} bytes; the file is damaged")
        if not spaces or spaces[0] + 1 + 4 * self.size > len(buffer):
            raise vector_error(
                self, number, f"is cut off, of the {self.promised:,} that the first line promises; fetch the file again"
            )

    def _fits(
        self, buffer: bytes, begin: int, space: int, end: bytes, allowed: Callable[[NDArray[np.float32]], bool]
    ) -> bool:
        """Whether a word ends at a space, by what stands before and behind it."""
        stop = space + 1 + 4 * self.size
        behind = buffer[stop : stop + 1]
        if stop > len(buffer) or (behind and (behind != end if end else behind < b" ")):
            return False
        word = buffer[begin:space]
        if word.translate(None, _CONTROLS) != word or (b" " in word and not _is_utf8(word)):
            return False
        # Of the usual exponents alone: no need to look at the values.
        return not buffer[space + 4 : stop : 4].translate(None, _USUAL_BYTES) or allowed(self._floats(buffer, space))

    def _floats(self, buffer: bytes, space: int) -> NDArray[np.float32]:
        return np.frombuffer(buffer, dtype="<f4", count=self.size, offset=space + 1)

    def values(self, entry: Entry) -> NDArray[np.float32]:
        """The vector of an entry, ``[D]``.

        Raises:
            DataError: a value is no finite number, or larger than any in a vector of words.
        """
        values = finite_values(self, entry, np.frombuffer(entry.raw, dtype="<f4"))
        if not _is_bounded(values):
            largest = np.abs(values).max()
            raise vector_error(
                self, entry.place, f"the value {largest:.3g} is none of a word vector; the file is damaged"
            )
        return values


def _is_usual(values: NDArray[np.float32]) -> bool:
    sizes = np.abs(values)
    return bool(((sizes == 0) | ((sizes >= _SMALLEST) & (sizes <= _LARGEST))).all())


def _is_bounded(values: NDArray[np.float32]) -> bool:
    return bool((np.abs(values) <= _LARGEST).all())  # NaN is not


def _is_any(values: NDArray[np.float32]) -> bool:
    return True


def _is_utf8(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True
