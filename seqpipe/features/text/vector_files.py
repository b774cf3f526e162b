"""The files that GloVe, fastText and word2vec write, a vector at a time: memory doesn't grow with the file."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from seqpipe.errors import DataError
from seqpipe.features.text.binary_vectors import BinaryVectors
from seqpipe.features.text.text_vectors import TextVectors
from seqpipe.features.text.vector_entry import LONGEST_WORD

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(\d+)[ \t]+(\d+)[ \t]*\r?")
_READ = "GloVe .txt, fastText .vec, word2vec text and .bin are read, also as .gz"


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
    if its_size != size and size == 1:
        return TextVectors(file, path, size, None)  # a number, and its vector
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
