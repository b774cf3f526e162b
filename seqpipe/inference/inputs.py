"""What stands on the command line of ``seqpipe infer``, as inputs."""

from __future__ import annotations

import glob
import json
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from seqpipe.data.folder import audio_files
from seqpipe.data.rows import AudioSpan, Row
from seqpipe.data.source import MANIFEST_SUFFIXES, make_row, read_rows, unread_spans
from seqpipe.errors import DataError
from seqpipe.inference.failure import Failure
from seqpipe.recipe import DataConfig


def expand_inputs(
    arguments: Iterable[str], config: DataConfig, *, reads_files: bool, notice: Callable[[str], None] | None = None
) -> Iterator[Row | Failure]:
    """Rows of files, folders (recursively), globs, manifests, ``hub:`` data sets, and ``-`` for standard input.

    What isn't there becomes a `Failure` in its place.

    Args:
        arguments: as given on the command line.
        config: which columns a manifest has; those of the recipe.
        reads_files: inputs are paths.
        notice: told what the user should know about a manifest.
    """
    for argument in arguments:
        if argument == "-":
            yield from _standard_input(sys.stdin, config, reads_files)
            continue
        path = Path(argument)
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError):
            mode = 0  # reading it will say what is wrong
        if argument.startswith("hub:") or (stat.S_ISREG(mode) and path.suffix.lower() in MANIFEST_SUFFIXES):
            rows = read_rows(argument, config, reads_files=reads_files, needs_target=False, needs_id=False)
            for place, row in enumerate(rows):
                if notice is not None and place == 0 and (message := unread_spans(row, config)):
                    notice(f"{argument}: {message}")
                yield row
        elif stat.S_ISDIR(mode):
            found = audio_files(path)
            if not found:
                yield Failure(argument, "empty", f"{argument}: the folder holds no recordings")
            yield from (Row(str(file), AudioSpan(file)) for file in found)
        elif not mode and glob.has_magic(argument):
            matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - absolute patterns too
            if not matches:
                yield Failure(argument, "missing", f"{argument}: no file matches this pattern")
            yield from expand_inputs(matches, config, reads_files=reads_files, notice=notice)
        else:  # a file; if it is missing, reading it says so
            yield Row(argument, AudioSpan(path))


def _standard_input(lines: Iterable[str], config: DataConfig, reads_files: bool) -> Iterator[Row | Failure]:
    """A path a line, or a JSON object with the columns of a manifest."""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text:
            continue
        if not text.lstrip().startswith("{"):
            yield Row(text, AudioSpan(Path(text)))
            continue
        try:
            columns: Any = json.loads(text)
            row = make_row(
                number,
                columns,
                config,
                Path(),
                "standard input",
                reads_files=reads_files,
                needs_target=False,
                needs_id=False,
            )
            if row.problem is not None:
                raise DataError(f"{row.where}: {row.problem}")
            if reads_files and not isinstance(row.input, AudioSpan):
                raise DataError(f"{row.where}: the input should be a path; received {row.input!r}")
            yield row
        except DataError as error:
            yield Failure(f"line {number}", "bad value", str(error))
        except ValueError as error:
            yield Failure(f"line {number}", "bad value", f"standard input, row {number}: is not JSON ({error})")
