"""Answers as a folder of one file per recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqpipe.core.files import draft_folder
from seqpipe.inference.formats.ctm import ctm_text
from seqpipe.inference.formats.names import NewFiles
from seqpipe.inference.formats.srt import srt_text
from seqpipe.inference.formats.store import read_store, readable

FAILURES = "failures.jsonl"
TEXTS: dict[str, Callable[[dict[str, Any], str], str]] = {"srt": srt_text, "ctm": ctm_text}


def write_folder(store: Path, kind: str, output: Path) -> None:
    """A file for each prediction, called after its id (see `NewFiles`), and ``failures.jsonl`` where there are any.

    Args:
        store: the finished answers.
        kind: ``srt`` or ``ctm``.
        output: the folder; not there yet, or empty.

    Raises:
        DataError: the store can't be read.
    """
    with draft_folder(output) as folder:
        files = NewFiles(folder, ending=f".{kind}", spaces=kind != "ctm")
        for line, record in read_store(store):
            if "error" in record:
                with (folder / FAILURES).open("ab") as failures:
                    failures.write(line)
                continue
            name, file = files.open(record["id"])
            with file:
                file.write(readable(TEXTS[kind](record, name)).encode())
