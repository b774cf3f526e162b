"""Answers as a folder of one file per recording."""

from __future__ import annotations

from pathlib import Path

from seqpipe.core.files import draft_folder
from seqpipe.inference.formats.ctm import ctm_text
from seqpipe.inference.formats.names import NewFiles
from seqpipe.inference.formats.recordings import RecordingNames
from seqpipe.inference.formats.srt import srt_text
from seqpipe.inference.formats.store import read_store, readable

FAILURES = "failures.jsonl"


def write_folder(store: Path, kind: str, output: Path, recordings: RecordingNames | None = None) -> None:
    """A file for each prediction, called after its id (see `NewFiles`), and ``failures.jsonl`` where there are any.

    Args:
        store: the finished answers.
        kind: ``srt`` or ``ctm``.
        output: the folder; not there yet, or empty.
        recordings: what CTM calls them, where inputs count that others answer.

    Raises:
        DataError: the store can't be read.
    """
    recordings = recordings or RecordingNames()
    with draft_folder(output) as folder:
        files = NewFiles(folder, ending=f".{kind}", spaces=kind != "ctm")
        for line, record in read_store(store):
            if "error" in record:
                with (folder / FAILURES).open("ab") as failures:
                    failures.write(line)
                recordings.add(record["id"])  # others are called the same whether it failed or not
                continue
            name, file = files.open(record["id"])
            text = ctm_text(record, *recordings.of_answer(record["id"])) if kind == "ctm" else srt_text(record, name)
            with file:
                file.write(readable(text).encode())
