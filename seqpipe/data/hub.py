"""Data sets of the Hugging Face Hub, and ones saved or lying locally, through `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqpipe.errors import DataError


def read_hub(source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of ``NAME[:CONFIGURATION][@SPLIT]``.

    Args:
        source: NAME is a folder written by ``save_to_disk``, another local folder that ``load_dataset`` opens, or a
            name on the Hub. Without a split, the data set must have one only (or ``train``). Only data files are read:
            ``datasets`` 4 and later run no loading scripts.

    Raises:
        DataError: it can't be opened, or the split isn't there; those that are there are named.
    """
    import datasets

    name, _, split = source.partition("@")
    folder = Path(name)
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            opened = datasets.load_from_disk(str(folder))
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
    for column, feature in opened.features.items():
        if isinstance(feature, datasets.Audio):
            # Decoding inside datasets needs torchcodec; soundfile reads the bytes as well.
            opened = opened.cast_column(column, datasets.Audio(decode=False))
    yield from enumerate(opened, 1)
