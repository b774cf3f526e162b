"""Parallel text: two files of lines that are each other's translations, as corpora of translation come."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from seqpipe.core.lines import TOO_LONG, bounded_lines
from seqpipe.errors import DataError, InputError
from seqpipe.text.validity import unfit


def side(prefix: Path, suffix: str) -> Path:
    """The file of one side: ``train`` and ``en`` are ``train.en``."""
    return prefix.with_name(f"{prefix.name}.{suffix}")


def read_parallel(
    prefix: Path, source: str, target: str, *, needs_target: bool, strict: bool = True
) -> Iterator[tuple[int, dict[str, str] | InputError]]:
    """Pairs of lines as (number from 1, columns), one at a time; columns are named as the files end.

    Lines end with a line feed alone, so that other signs that some count as ends (U+2028, say) shift nothing.

    Args:
        prefix: what the files' names begin with.
        source, target: what they end with, behind a point.
        needs_target: whether the target's file must be there. If it is, it is read.
        strict: files of different length end the reading at the first line that is alone; else that line is an
            `InputError` in its place.

    Returns:
        A blank line is an empty text; a line that is no UTF-8, holds a null character or is too long (`bounded_lines`)
        an `InputError`.

    Raises:
        DataError: a file is missing, or has fewer lines than the other; both and the line are named.
        OSError: a file can't be read.
    """
    paths = [side(prefix, source), side(prefix, target)]
    if not paths[0].is_file() and prefix.suffix in (f".{source}", f".{target}") and prefix.is_file():
        common = prefix.with_suffix("")
        raise DataError(f"{prefix}: is one side alone; both are named by what they have in common: {common}")
    for path in paths[: 2 if needs_target else 1]:
        if not path.is_file():
            raise DataError(
                f"{path}: there is no such file (format: parallel reads {prefix.name}.{source} and "
                f"{prefix.name}.{target}: data.input and data.target are what the names end with)"
            )
    if not paths[1].is_file():
        paths.pop()
    with paths[0].open("rb") as first, paths[-1].open("rb") as second:
        sides = [bounded_lines(file) for file in (first, second)[: len(paths)]]
        for number, lines in enumerate(zip_longest(*sides, fillvalue=b""), 1):
            if b"" in lines:  # not even an end of line
                ended = lines.index(b"")
                message = (
                    f"{paths[ended]}: ends after line {number - 1}, and {paths[1 - ended]} goes on with line {number}; "
                    "each line of one is the translation of the same line of the other"
                )
                if strict:
                    raise DataError(message)
                yield number, InputError("bad value", message)
                return
            yield number, _columns(lines, paths, number, (source, target))


def _columns(
    lines: tuple[bytes | None, ...], paths: list[Path], number: int, names: tuple[str, str]
) -> dict[str, str] | InputError:
    columns = {}
    for line, path, name in zip(lines, paths, names, strict=False):
        if line is None:
            return InputError("too long", f"{path}, line {number}: {TOO_LONG}")
        text = (line.removeprefix(BOM_UTF8) if number == 1 else line).decode(errors="surrogateescape")
        if what := unfit(text):
            return InputError("bad value", f"{path}, line {number}: {what}")
        columns[name] = text.rstrip("\r\n")
    return columns
