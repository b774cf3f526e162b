"""The finished store turned into the output."""

from __future__ import annotations

import shutil
from pathlib import Path

from seqpipe.core.files import draft_file, move, sync, target_of
from seqpipe.inference.formats.choose import FOLDERS, PAGES, check_place
from seqpipe.inference.formats.column_text import write_columns
from seqpipe.inference.formats.csv_table import write_csv
from seqpipe.inference.formats.folder import write_folder
from seqpipe.inference.formats.parquet import write_parquet
from seqpipe.inference.formats.recordings import RecordingNames


def write_output(
    store: Path, kind: str, output: Path, prediction: type, recordings: RecordingNames | None = None
) -> None:
    """Write all answers of the store in the wanted format.

    The output is written beside its place under a draft's name and renamed, so that it is there whole or not at all;
    when this returns, it is on the disk. Memory doesn't grow with the number of answers, but for what ``srt`` and
    ``ctm`` know of recordings. The same store gives the same bytes.

    Args:
        store: a JSON object a line, in the order of the inputs: predictions, and failures with ``error``. With
            ``jsonl`` it is renamed and becomes the output; otherwise it stays.
        kind: as `choose_format` gave it, and `check_format` let it pass.
        output: a file, or with a format of `FOLDERS` a folder; what it leads to if it is a link, which stays.
        prediction: the dataclass that the head answers with.
        recordings: what CTM calls them; see `write_folder`.

    Raises:
        ConfigError: there is no place for the output; see `check_place`. The store is as before.
        DataError: the store is no JSON, or doesn't fit the prediction, or a page's document is gone. It is as before.
        OSError: the disk is full, ... The store is as before.
    """
    check_place(output, kind)
    output.parent.mkdir(parents=True, exist_ok=True)
    if kind == "jsonl":
        sync(store)
        target = target_of(output)
        if store.stat().st_dev == target.parent.stat().st_dev:
            move(store, target)
        else:  # a link to another file system
            with draft_file(target) as file, store.open("rb") as answers:
                shutil.copyfileobj(answers, file)
            store.unlink()
    elif kind in PAGES:
        from seqpipe.inference.formats.page_files import write_pages  # all of XML: no other format should wait for it

        write_pages(store, kind, output)
    elif kind in FOLDERS:
        write_folder(store, kind, output, recordings)
    elif kind == "columns":
        write_columns(store, output)
    elif kind == "csv":
        write_csv(store, output, prediction)
    else:
        write_parquet(store, output, prediction)
