"""Whether a run that goes on has the inputs that it began with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from seqpipe.core.suffixes import TEXT_SUFFIXES
from seqpipe.data.formats.column_file import COLUMN_SUFFIXES
from seqpipe.data.formats.hub import is_saved_data_set
from seqpipe.data.pages.names import PAGE_SUFFIXES
from seqpipe.data.records import manifest_kind


def fingerprint_inputs(arguments: Iterable[str]) -> dict[str, Any]:
    """What tells inputs from other ones, for a JSON file: ``arguments``, and under ``lists`` the lists among them.

    A list is a manifest, a column file, a page's document or a file of text (``bytes`` and ``sha256``, read once and
    not kept), or a saved data set (the same of the small files that `datasets` describes its content in). Folders are
    not walked, patterns not matched and recordings not read: what changes there goes unnoticed. A list that can't be
    read has None.
    """
    arguments = list(arguments)
    lists: dict[str, dict[str, Any] | None] = {}
    for argument in dict.fromkeys(arguments):
        path = Path(argument)
        try:
            if is_saved_data_set(path):
                files = sorted([*path.glob("state.json"), *path.glob("*/state.json")])
                lists[argument] = content_of(files)
            elif _holds_inputs(path) and path.is_file():
                lists[argument] = content_of([path])
        except OSError:
            lists[argument] = None
    return {"arguments": arguments, "lists": lists}


def differing_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, a line each, for the user; none if the inputs are the same."""
    for place, (was, given) in enumerate(zip_longest(before["arguments"], now["arguments"]), 1):
        if was != given:
            return [f"input {place}: was {was or 'nothing'} when the run began, and is {given or 'nothing'} now"]
    return [
        f"{name}: other content than when the run began"
        for name in {**before["lists"], **now["lists"]}
        if before["lists"].get(name) != now["lists"].get(name)
    ]


def is_fingerprint(value: Any) -> bool:
    """Whether a JSON value has the form of what `fingerprint_inputs` gives."""
    return isinstance(value, dict) and isinstance(value.get("arguments"), list) and isinstance(value.get("lists"), dict)


def content_of(files: Iterable[Path]) -> dict[str, Any]:
    """``bytes`` and ``sha256`` of files, one behind the other."""
    total = hashlib.sha256()
    size = 0
    for file in files:
        with file.open("rb") as opened:
            hashlib.file_digest(opened, lambda: total)
            size += opened.tell()
    return {"bytes": size, "sha256": total.hexdigest()}


def _holds_inputs(path: Path) -> bool:
    return bool(manifest_kind(path)) or path.suffix.lower() in {*COLUMN_SUFFIXES, *TEXT_SUFFIXES, *PAGE_SUFFIXES}
