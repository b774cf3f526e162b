"""What stands on a command line as a stream of rows, and what the output of a command may not replace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seqpipe.answers.failure import Failure
from seqpipe.core.files import check_replaced, file_identity
from seqpipe.core.input import Input
from seqpipe.core.interruption import Interruption
from seqpipe.core.naming import Naming
from seqpipe.data.pages.line import PageLine
from seqpipe.data.rows import Row
from seqpipe.inference.formats.choose import PAGES
from seqpipe.inference.inputs import expand_inputs
from seqpipe.inference.job import Job
from seqpipe.inference.pausing import with_pauses
from seqpipe.inference.same_inputs import fingerprint_inputs
from seqpipe.inference.slot import IDLE, Pause, Unbinds, unbound


def given_rows(
    arguments: Sequence[str], config: Naming, reader: Unbinds, job: Job, notice: Callable[[str], None]
) -> Iterable[Any]:
    """Rows of the arguments, those that hold several as these, and what can't stand in the job's format as failures.

    Args:
        arguments, config, notice: as `expand_inputs` takes them.
        reader: of the model.
        job: whose summary counts what is passed over.
    """
    rows = expand_inputs(
        arguments, config, suffixes=reader.suffixes, notice=notice, passed_over=job.summary.passed_over
    )
    parted = unbound(rows, reader)
    return _lines_alone(parted, job.kind) if job.kind in PAGES else parted


def streamed(rows: Iterable[Any], output: str, interruption: Interruption) -> Iterator[Any]:
    """Rows that come when they like, with a `Pause` where none does, until a signal; one of the output is an error."""
    rows = with_pauses(_others_than(Path(output), rows), lambda: interruption.received)
    return rows if output == "-" else _whole_windows(rows, interruption)


def check_replacing(job: Job, files: Iterable[Path], overwrite: bool) -> None:
    """See that a job that begins anew replaces nothing that it reads; raises `ConfigError`.

    Args:
        job: not begun.
        files: of the model, and of the inputs.
        overwrite: whether it replaces what is there.
    """
    if job.journal is not None and (overwrite or not (Path(job.output).exists() or job.journal.store.exists())):
        check_replaced("--output", [Path(job.output), job.journal.store, job.journal.path], files)


def fingerprint_place(arguments: Sequence[str]) -> dict[str, Any]:
    """Of a job's settings: the inputs (`fingerprint_inputs`), and what they are relative to, if they are."""
    relative = any(_is_relative(name) for name in arguments)
    return {"inputs": fingerprint_inputs(arguments), "folder": str(Path.cwd()) if relative else None}


def _whole_windows(rows: Iterable[Any], interruption: Interruption) -> Iterator[Any]:
    """Rows whose pauses close no window, since windows are to depend on rows alone."""
    yield from (IDLE if isinstance(row, Pause) else row for row in rows)
    if interruption.received:
        raise KeyboardInterrupt


def _others_than(output: Path, rows: Iterable[Any]) -> Iterator[Any]:
    """Rows; raises `ConfigError` at one that is read from the file that the output will replace."""
    replaced = file_identity(output)
    for row in rows:
        path = row.input.path if isinstance(row, Row) and isinstance(row.input, Input) else None
        if replaced is not None and path is not None:
            check_replaced("--output", [output], [path])
        yield row


def _lines_alone(rows: Iterable[Any], kind: str) -> Iterator[Any]:
    """Rows of which those that are no lines of pages, and so have no document to stand in, are failures."""
    for row in rows:
        if isinstance(row, Row) and row.problem is None and not isinstance(row.input, PageLine):
            what = f"{row.where}: is no line of a page, and --format {kind} writes pages; --format jsonl"
            row = Failure(row.id, "bad value", what)
        yield row


def _is_relative(argument: str) -> bool:
    return argument != "-" and not argument.startswith("hub:") and not Path(argument).is_absolute()
