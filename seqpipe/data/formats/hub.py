"""Data sets of the Hugging Face Hub, and ones saved or lying locally, through `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.core.packages import lacking
from seqpipe.data.formats.hub_features import column_meanings, meant
from seqpipe.errors import DataError, InputError


def is_saved_data_set(folder: Path) -> bool:
    """Whether a folder was written by ``save_to_disk``: a data set, or several as its splits."""
    files = {name: (folder / name).is_file() for name in ("dataset_dict.json", "dataset_info.json", "state.json")}
    return files["dataset_dict.json"] or (files["dataset_info.json"] and files["state.json"])


def read_hub(source: str) -> Iterator[tuple[int, dict[str, Any] | InputError]]:
    """Rows of ``NAME[:CONFIGURATION][@SPLIT]``, classes by their names, recordings and images as their bytes or paths.

    Args:
        source: NAME is a folder written by ``save_to_disk``, another local folder that ``load_dataset`` opens, or a
            name on the Hub. Without a split, the data set must have one only (or ``train``). Only data files are read:
            ``datasets`` 4 and later run no loading scripts.

    Raises:
        DataError: it can't be opened, or the split isn't there; those that are there are named.
    """
    opened = _open(source)
    meanings = column_meanings(opened.features.to_dict())
    # Not as `datasets` would give rows: for recordings it wants torchcodec, and Pillow opens formats that run programs.
    for number, row in enumerate(opened.with_format("arrow"), 1):
        columns = meant(row.to_pylist()[0], meanings)
        if isinstance(columns, InputError):
            columns = InputError(columns.kind, f"data set {source}, row {number}: {columns}")
        yield number, columns


def count_hub(source: str) -> int | None:
    """How many rows a saved data set has; None for one that would first have to be fetched or converted.

    Raises:
        DataError: as `read_hub` does.
    """
    return len(_open(source)) if is_saved_data_set(Path(_name_and_split(source)[0])) else None


def _name_and_split(source: str) -> tuple[str, str]:
    name, _, split = source.rpartition("@")
    return (source, "") if not name or is_saved_data_set(Path(source)) else (name, split)


def _open(source: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise DataError(f"data set {source}: {lacking('datasets', 'hub')}; or give files") from None

    name, split = _name_and_split(source)
    try:
        if is_saved_data_set(Path(name)):
            opened = datasets.load_from_disk(name)
        else:
            name, _, configuration = name.partition(":")
            opened = datasets.load_dataset(name, configuration or None)
    except (FileNotFoundError, ValueError, ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        raise DataError(f"data set {source}: can't be opened ({error})") from None
    if isinstance(opened, dict):
        if not split and len(opened) == 1:
            split = next(iter(opened))
        if (split or "train") not in opened:
            raise DataError(f"data set {source}: has no split {split or 'train'}; it has {', '.join(opened)}")
        opened = opened[split or "train"]
    return opened
