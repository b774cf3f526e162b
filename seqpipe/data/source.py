"""Opening a source of rows, whatever its kind."""

from __future__ import annotations

import glob
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from seqpipe.config.recipe import DataConfig
from seqpipe.core.file_names import on_disk
from seqpipe.core.files import expand_home
from seqpipe.core.suffixes import IMAGE_SUFFIXES, MANIFEST_KINDS, TEXT_SUFFIXES, Suffixes
from seqpipe.data.formats.column_file import read_column_file
from seqpipe.data.formats.documents import read_documents
from seqpipe.data.formats.folder import read_folder, read_text_folder
from seqpipe.data.formats.hub import is_saved_data_set, read_hub
from seqpipe.data.formats.manifest import read_manifest
from seqpipe.data.formats.parallel_text import read_parallel, side
from seqpipe.data.formats.sentiment_trees import read_trees, split_trees
from seqpipe.data.formats.walk import endings, find_files
from seqpipe.data.pages.names import is_page
from seqpipe.data.pages.rows import page_files, page_rows
from seqpipe.data.records import Records, manifest_kind, nameless, record_rows
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, DataError


def is_parallel(source: Path, config: DataConfig) -> bool:
    """Whether a source is what the names of two files begin with; a manifest may stand beside these."""
    return config.format == "parallel" and manifest_kind(source) is None


def data_root(config: DataConfig) -> Path:
    """The folder that sources are relative to; ``starter:NAME`` makes the starter data first, once."""
    root = config.root or "."
    if root.startswith("starter:"):
        from seqpipe.data.starter.catalogue import starter_data

        return starter_data(root.removeprefix("starter:"))
    return on_disk(expand_home(root))


def is_there(part: str, config: DataConfig) -> bool:
    """Whether a part of a recipe can be opened; a data set of the Hub is taken to be there."""
    root = data_root(config)
    if is_parallel(Path(part), config):
        return side(root / part, config.input).exists()
    if part.startswith("trees:"):
        part = split_trees(part.removeprefix("trees:"))[0]
    part = str(expand_home(part))
    if part.startswith("hub:") or on_disk(root / part).exists():
        return True
    return is_page(part) and glob.has_magic(part) and bool(glob.glob(part, root_dir=root, recursive=True))  # noqa: PTH207


def training_rows(config: DataConfig, *, suffixes: Suffixes, strict: bool = True) -> Iterator[Row]:
    """Rows of ``data.train``, then those of ``data.train_also``; ``strict`` as for `read_rows`.

    Raises:
        ConfigError: there is no ``data.train``.
        DataError: as `read_rows` does.
    """
    if config.train is None:
        raise ConfigError("data.train is required: the source of the training rows")
    root = data_root(config)
    yield from read_rows(config.train, config, suffixes=suffixes, strict=strict, root=root)
    for source in config.train_also:  # whose rows need no ids like the others': nothing is ever reported of them
        yield from read_rows(source, config, suffixes=suffixes, needs_id=False, strict=strict, root=root)


def read_rows(
    source: str,
    config: DataConfig,
    *,
    suffixes: Suffixes,
    needs_target: bool = True,
    needs_id: bool = True,
    strict: bool = True,
    root: Path | None = None,
) -> Iterator[Row]:
    """Rows of a source, one at a time, in its order.

    Args:
        source: a manifest (jsonl, csv, tsv, parquet), a column file (`read_column_file`; the recipe's format says so),
            a folder, what the names of two parallel text files begin with (the recipe's format says so;
            `read_parallel`), a data set (``hub:NAME[:CONFIGURATION][@SPLIT]``), phrases of sentiment trees
            (``trees:FILE@fine``, ``trees:FILE@binary``; `read_trees`), rows that are made on this machine, once
            (``starter:digits``), a file of running text or a folder of such (the recipe's format says so;
            `read_documents`), or documents of pages in ALTO or PAGE, a row a line: a file (``.xml``), a pattern
            (``pages/*.xml``) or, with format: pages, a folder (`page_rows`).
        config: says which column is what.
        suffixes: endings of the files that inputs are, given as paths relative to the manifest (or as bytes, by a
            data set); none where inputs are no files.
        needs_target: a row without target has a `Row.problem`.
        needs_id: a source without the id column is an error; else its rows go by their inputs or numbers.
        strict: a row that can't be told from the others ends the reading. Else it has a `Row.problem` and no columns,
            as has a row without a column that rows before it had.
        root: what a relative ``source`` is relative to.

    Raises:
        DataError: the source is missing, a column is missing (the nearest is named), or a row can't be told from the
            others (see ``strict``). What is wrong with one row alone becomes its `Row.problem`.
    """
    if _lists_pages(source, config, root or Path()):
        if not suffixes & IMAGE_SUFFIXES:
            raise DataError(f"{source}: describes pages, and the first of the features reads no images")
        files = page_files(source, root or Path())
        yield from page_rows(files, root=root, needs_target=needs_target, columns=(config.input, config.target))
        return
    records, base, shown = _records(source, config, root or Path(), suffixes, needs_target, strict)
    yield from record_rows(
        records, config, base, shown, suffixes=suffixes, needs_target=needs_target, needs_id=needs_id, strict=strict
    )


def _records(
    source: str, config: DataConfig, root: Path, suffixes: Suffixes, needs_target: bool, strict: bool
) -> tuple[Records, Path, str]:
    """Records of a source, what paths in it are relative to, and its name for messages."""
    if source.startswith("trees:"):
        name, labels = split_trees(source.removeprefix("trees:"))
        path = on_disk(root / expand_home(name))
        _must_exist(path)
        return nameless(read_trees(path, labels, strict=strict)), path.parent, str(path)
    is_saved = config.format == "auto" and is_saved_data_set(root / expand_home(source))
    if source.startswith("hub:") or config.format == "hub" or is_saved:
        name = source.removeprefix("hub:")
        if (root / name.partition("@")[0]).is_dir():
            name = str(root / name)
        return nameless(read_hub(name)), Path(), source
    path, wanted = on_disk(root / expand_home(source)), config.format
    if source.startswith("starter:"):
        from seqpipe.data.starter.catalogue import starter_source

        path, wanted = starter_source(source.removeprefix("starter:")), "auto"
    if is_parallel(path, config) and wanted == "parallel":
        pairs = read_parallel(path, config.input, config.target, needs_target=needs_target, strict=strict)
        return nameless(pairs), path.parent, str(path)
    kind = _kind(path, wanted)
    if kind == "folder":
        return (
            nameless(read_folder(path, config, suffixes)) if suffixes else read_text_folder(path, config),
            path,
            str(path),
        )
    if kind == "text":
        return read_documents(path, config), path.parent, str(path)
    if kind == "columns":
        return read_column_file(path, config, needs_target=needs_target), path.parent, str(path)
    return nameless(read_manifest(path, kind, strict=strict)), path.parent, str(path)


def _lists_pages(source: str, config: DataConfig, root: Path) -> bool:
    """Whether a source is a document of a page, a pattern or a folder of such."""
    if source.startswith(("trees:", "hub:", "starter:")) or config.format not in ("auto", "pages"):
        return False
    if config.format == "pages":
        return manifest_kind(Path(source)) is None  # a manifest may stand beside pages
    return is_page(source) and not (root / expand_home(source)).is_dir()


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise DataError(
            f"{path}: there is no such file or folder (data.root and data.train/dev/test say where to look)"
        )


def _kind(path: Path, wanted: str) -> str:
    _must_exist(path)
    if wanted == "columns" and path.is_dir():
        raise DataError(f"{path}: is a folder; format: columns reads a file, a token a line")
    by_name = manifest_kind(path)
    if wanted == "columns" and by_name not in (None, "tsv"):
        return str(by_name)  # a manifest beside column files, which are often called .tsv
    if wanted in ("pages", "parallel", "text") and by_name:
        return by_name
    if wanted != "auto":
        return wanted
    if path.is_dir():
        return "folder"
    if by_name is None:
        raise DataError(
            f"{path}: can't tell what kind of source this is from its name; known endings: "
            f"{', '.join(sorted(MANIFEST_KINDS))} (text also with .gz behind), .xml for pages, or set data.format"
        )
    return by_name


def unread_files(source: str, config: DataConfig, suffixes: Suffixes, root: Path) -> str | None:
    """What to tell the user where a source is a folder that holds files which are neither inputs nor their texts."""
    path = on_disk(root / expand_home(source))
    if config.format not in ("auto", "folder") or not path.is_dir():
        return None
    others: Counter[str] = Counter()
    deque(find_files(path, suffixes | TEXT_SUFFIXES, others), maxlen=0)
    return f"{path}: passed over {others.total():,} files: {endings(others)}" if others else None
