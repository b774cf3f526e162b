"""Small valid files made into broken ones: the mutations of `fuzz.py`, each a pure function of the bytes and a draw."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
"""What fields of a header are set to."""
WRITTEN = (
    *(b"0", b"-1", b"1e400", b"nan", b"-inf", b"1e-400", b"99999999999999999999", b"9" * 5000, b"0x7fffffff", b"1_0"),
    *("²".encode(), b"2024-13-45", b"2001-01-01 00:00:00 +99:99", b"1:99:99", b"0o8", b"null", b"true", b"", b'"'),
)
"""What numbers in a text are set to."""
TOKENS = (
    *(b"\0", b"\x1b", b"\x7f", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", "\ufeff".encode(), "\u2028".encode(), b"\r"),
    *(b'"', b"'", b"<", b"&", b"]]>", b"<!DOCTYPE x [", b"{", b"}", b"[", b"]", b",", b":", b": ", b"\t", b"\n\n"),
    *(b"&a ", b"*a", b"!!int ", b"!!set ", b"!x ", b"<<: ", b"? ", b"%YAML 9.9", b"---\n", b"\\ud800", b"\\u0000"),
    *(b"[" * 300, b"{a: " * 300, b'"\\ud800"', b"9" * 5000, b"x" * 70_000),
)
"""What is put into a text."""
MAGIC = {b"RIFF": (12, "little"), b"\x89PNG": (8, "big"), b"FORM": (12, "big")}
"""Formats of chunks: where the first begins, and the order of the bytes of sizes."""


def mutate(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """One to four mutations of a file.

    Args:
        data: a valid one.
        others: valid ones of the same target, for splices.
        draw: all that decides.
    """
    is_text = b"\0" not in data[:512] and sum(byte < 9 for byte in data[:512]) == 0
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if not data:
            break
        data = draw.choice((*ANY, *(TEXT if is_text else BINARY)))(data, others, draw)
    return data


def _range(data: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(data) + 1)
    return start, min(len(data), start + int(draw.choice((1, 2, 8, 64, 512)) * draw.random()) + 1)


def _flip_bits(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 4, 32))):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _delete(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    start, end = _range(data, draw)
    return data[:start] + data[end:]


def _insert(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(draw.choice((1, 4, 100))) + data[at:]


def _repeat(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    start, end = _range(data, draw)
    return data[:end] + data[start:end] * draw.choice((1, 2, 50)) + data[end:]


def _splice(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    other = draw.choice(others)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def _chunks(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """A chunk of a file, or a line, twice, nowhere, or in another's place."""
    parts = split(data)
    place = draw.randrange(len(parts))
    change = draw.choice(("double", "remove", "swap", "shuffle"))
    if change == "double":
        parts[place:place] = [parts[place]] * draw.choice((1, 2, 100))
    elif change == "remove":
        del parts[place]
    elif change == "swap":
        other = draw.randrange(len(parts))
        parts[place], parts[other] = parts[other], parts[place]
    else:
        draw.shuffle(parts)
    return b"".join(parts)


def split(data: bytes) -> list[bytes]:
    """The parts of a file: chunks of RIFF, AIFF and PNG, pages of Ogg, else lines."""
    if data[:4] == b"OggS":
        return [b"OggS" + page for page in data.split(b"OggS")[1:]]
    if data[:4] not in MAGIC:
        return data.splitlines(keepends=True) or [data]
    at, order = MAGIC[data[:4]]
    is_png = data[:4] == b"\x89PNG"
    parts = [data[:at]]
    while at + 8 <= len(data):
        field = data[at : at + 4] if is_png else data[at + 4 : at + 8]
        size = int.from_bytes(field, "big" if order == "big" else "little")
        end = at + 8 + size + (4 if is_png else size % 2)
        parts.append(data[at:end])
        at = end
    return parts


def _field(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """A number in the header, or anywhere, as large or as small as it can be."""
    width = draw.choice((1, 2, 4, 8))
    end = min(len(data), draw.choice((32, 64, 256, len(data))))
    at = draw.randrange(end)
    value = draw.choice(NUMBERS) % 2 ** (8 * width)
    return data[:at] + value.to_bytes(width, draw.choice(("little", "big"))) + data[at + width :]


def _number(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return data
    number = draw.choice(found)
    return data[: number.start()] + draw.choice(WRITTEN) + data[number.end() :]


def _token(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    end = at + draw.choice((0, 0, 1, 5))
    return data[:at] + draw.choice(TOKENS) + data[end:]


def _word(data: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """A word or a number in the place of another, where it may be of the wrong type."""
    found = list(re.finditer(rb"[A-Za-z_][\w.-]*|-?\d[\d.]*", data))
    if not found:
        return data
    place, other = draw.choice(found), draw.choice(found)
    return data[: place.start()] + draw.choice((other[0], other[0], *WRITTEN)) + data[place.end() :]


Mutation = Callable[[bytes, Sequence[bytes], random.Random], bytes]
ANY: tuple[Mutation, ...] = (_flip_bits, _truncate, _delete, _insert, _repeat, _splice, _chunks)
BINARY: tuple[Mutation, ...] = (_field, _field, _field)
TEXT: tuple[Mutation, ...] = (_number, _number, _token, _token, _word)
