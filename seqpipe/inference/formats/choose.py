"""Which format the answers shall have, and whether there is a place for it."""

from __future__ import annotations

import os
from pathlib import Path

from seqpipe.core.files import target_of
from seqpipe.core.measure import Measure
from seqpipe.core.suffixes import IMAGE_SUFFIXES
from seqpipe.errors import ConfigError, did_you_mean
from seqpipe.inference.formats.folder import FOLDER_ENDINGS
from seqpipe.inference.formats.parquet import arrow_schema
from seqpipe.inference.formats.table import column_types
from seqpipe.inference.formats.words import NEEDS, check_needs

ENDINGS = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "csv": (".csv",),
    "parquet": (".parquet", ".pq"),
    "columns": (".conll", ".col"),
    "srt": (".srt",),
    "vtt": (".vtt",),
    "textgrid": (".textgrid",),
    "ctm": (".ctm",),
    "alto": (),
    "page": (),
}
"""Formats, and the endings of names that say them."""
FOLDERS = {**FOLDER_ENDINGS, "alto": ".xml", "page": ".xml"}
"""Formats of one file per recording or page, in a folder, and the endings of these files."""
PAGES = frozenset({"alto", "page"})
"""Formats whose inputs are pages."""
RECORDINGS = frozenset(FOLDER_ENDINGS)
"""Formats of a file for each recording, of whose parts there may be many answers."""


def choose_format(output: str, wanted: str | None) -> str:
    """The format of the answers: the wanted one, else the one that the output's name says.

    Args:
        output: a file; a folder for the formats of `FOLDERS`; ``-`` for standard output, which gets JSON lines.
        wanted: one of `ENDINGS`; None to go by the name's ending.

    Raises:
        ConfigError: the format isn't known, can't be told from the name, or contradicts it.
    """
    if wanted is not None and wanted not in ENDINGS:
        raise ConfigError(f"--format {wanted}: is not known{did_you_mean(wanted, ENDINGS)}")
    if output == "-":
        if wanted not in (None, "jsonl"):
            raise ConfigError(
                f"--format {wanted} --output -: standard output gets JSON lines, an answer as soon as it is there; "
                f"{wanted} is made when all is done: name a {'folder' if wanted in FOLDERS else 'file'}"
            )
        return "jsonl"
    return _kind(output, wanted)


def _kind(output: str, wanted: str | None) -> str:
    """By what is wanted and the name alone; an existing folder is a folder whatever its name."""
    folder = output.endswith(("/", os.sep)) or Path(output).is_dir()
    ending = Path(output).suffix.lower()
    said = None if folder else next((kind for kind, endings in ENDINGS.items() if ending in endings), None)
    kind = said or wanted
    as_file = said in FOLDERS or (wanted in PAGES and not folder and ending in (".xml", *IMAGE_SUFFIXES))
    if as_file and wanted in (None, kind):
        raise ConfigError(
            f"--output {output}: {kind} is one file per {_whole(kind)}, in a folder; name a folder: "
            f"--format {kind} --output {Path(output).with_suffix('')}{os.sep}"
        )
    if wanted is not None:
        if said not in (None, wanted):
            raise ConfigError(f"--format {wanted} --output {output}: the name says {said}; give another name or format")
        if folder and wanted not in FOLDERS:
            raise ConfigError(f"--format {wanted} --output {output}: is a folder; name a file in it")
        return wanted
    if folder:
        raise ConfigError(f"--output {output}: is a folder; name a file in it, or give --format {'|'.join(FOLDERS)}")
    if said is None:
        known = ", ".join(ending for kind, endings in ENDINGS.items() if kind not in FOLDERS for ending in endings)
        raise ConfigError(
            f"--output {output}: its ending says no format; known: {known}; or give --format {'|'.join(ENDINGS)} "
            f"({', '.join(FOLDERS)} with a folder as --output)"
        )
    return said


def _whole(kind: str | None) -> str:
    """What a file of this format is of."""
    return "page" if kind in PAGES else "recording"


def check_place(output: Path, kind: str) -> None:
    """Whether an output of this format can come to stand there.

    A file may be replaced. A folder is not: it holds what nobody can be sure of; only an empty one is.

    Raises:
        ConfigError: there is something else, or a folder that isn't empty, or one that can't be renamed onto.
    """
    output = target_of(output)
    for parent in output.parents:
        if parent.exists():
            if not parent.is_dir():
                raise ConfigError(f"--output {output}: {parent} is a file, not a folder")
            break
    if not output.exists():
        return
    if kind not in FOLDERS:
        if output.is_dir():
            raise ConfigError(f"--output {output}: is a folder; name a file in it")
        if not output.is_file():  # renaming onto /dev/null would do away with it
            raise ConfigError(f"--output {output}: is no regular file; name a file, or - for standard output")
        return
    if not output.is_dir():
        raise ConfigError(f"--output {output}: is a file; {kind} is one file per {_whole(kind)}: name a folder")
    if any(output.iterdir()):
        raise ConfigError(f"--output {output}: the folder is not empty; name a new one, or remove it")
    if output.is_mount() or output.samefile(Path.cwd()):
        raise ConfigError(f"--output {output}: this folder can't be replaced; name a new one in it")


def check_format(kind: str, prediction: type, measure: Measure) -> None:
    """Whether predictions of this type can be written in this format; to be asked before any work.

    Args:
        kind: a format that `choose_format` gave.
        prediction: the dataclass that the head answers with.
        measure: of places in inputs.

    Raises:
        ConfigError: they can't: no words with times in seconds for `RECORDINGS`, or with tags for ``columns``;
            no text for ``alto`` and ``page``; a field of a type that has no column for ``parquet``; one that is called
            as a failure's for ``csv`` and ``parquet``.
    """
    if kind in NEEDS:
        check_needs(kind, prediction, measure)
    elif kind == "csv":
        column_types(prediction)
    elif kind == "parquet":
        arrow_schema(prediction)
