"""Answers as a folder of one file per recording."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqpipe.core.files import draft_folder
from seqpipe.inference.formats.ctm import ctm_order, ctm_text
from seqpipe.inference.formats.names import NewFiles
from seqpipe.inference.formats.recordings import Recording, RecordingNames, recording_of
from seqpipe.inference.formats.srt import srt_text
from seqpipe.inference.formats.store import encode, read_store, readable, record_at
from seqpipe.inference.formats.textgrid import textgrid_text
from seqpipe.inference.formats.vtt import vtt_text

FAILURES = "failures.jsonl"
FOLDER_ENDINGS = {"srt": ".srt", "vtt": ".vtt", "textgrid": ".TextGrid", "ctm": ".ctm"}
"""Of the files of each format."""
_TEXTS = {"srt": srt_text, "vtt": vtt_text, "textgrid": textgrid_text}
RECORDING = "recording"
"""Key of a line of the store: what the answer is of; no part of the answer."""


class _Answers(NamedTuple):
    """To parts and channels of a recording."""

    recording: str
    places: array[int]  # of lines in the store


def write_folder(store: Path, kind: str, output: Path, recordings: RecordingNames | None = None) -> None:
    """A file for each recording, called after it (see `NewFiles`), and ``failures.jsonl`` where there are any.

    A recording whose parts or channels were answered one by one has one file: its words in the order of their times,
    and in CTM those of a channel together. Where parts overlap, what both say stands there twice. Memory grows by some
    300 bytes with each recording, and with the longest one.

    Args:
        store: the finished answers; of each `RECORDING`, else what its id says.
        kind: one of `FOLDER_ENDINGS`.
        output: the folder; not there yet, or empty.
        recordings: what CTM calls them, where inputs count that others answer.

    Raises:
        DataError: the store can't be read.
    """
    with draft_folder(output) as folder:
        files = NewFiles(folder, ending=FOLDER_ENDINGS[kind], spaces=kind != "ctm")
        with store.open("rb") as lines:
            for name, answers in _by_recording(store, folder / FAILURES, recordings or RecordingNames()):
                found = [_parted(record_at(lines, place)) for place in answers.places]
                text = _ctm(found, name) if kind == "ctm" else _TEXTS[kind](*(record for record, _ in found))
                _, file = files.open(answers.recording)
                with file:
                    file.write(readable(text).encode())


def _by_recording(store: Path, failures: Path, names: RecordingNames) -> Iterator[tuple[str, _Answers]]:
    """Names of recordings, in the order in which they come first, and where their answers stand; writes failures."""
    found: dict[str, _Answers] = {}
    place = 0
    for line, stored in read_store(store):
        record, recording = _parted(stored)
        if "error" in record:
            with failures.open("ab") as file:
                file.write(encode(record) if RECORDING in stored else line)
            names.add(recording)  # others are called the same whether it failed or not
        else:
            name = names.of_answer(recording)
            found.setdefault(name, _Answers(recording.of, array("Q"))).places.append(place)
        place += len(line)
    yield from found.items()


def _parted(stored: dict[str, Any]) -> tuple[dict[str, Any], Recording]:
    """The answer of a line, and what it is of."""
    recording = stored.get(RECORDING)
    record = {key: value for key, value in stored.items() if key != RECORDING}
    return record, recording_of(record["id"]) if recording is None else Recording(*recording)


def _ctm(found: list[tuple[dict[str, Any], Recording]], name: str) -> str:
    texts = [ctm_text(record, name, recording.channel) for record, recording in found]
    if len(texts) == 1:
        return texts[0]
    return "".join(sorted((line for text in texts for line in text.splitlines(keepends=True)), key=ctm_order))
