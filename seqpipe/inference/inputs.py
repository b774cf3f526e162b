"""What stands on the command line of ``seqpipe infer``, as inputs."""

from __future__ import annotations

import glob
import itertools
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from seqpipe.answers.failure import Failure
from seqpipe.core.file_names import on_disk
from seqpipe.core.input import FileSpan, Input
from seqpipe.core.naming import Naming
from seqpipe.core.suffixes import IMAGE_SUFFIXES, TEXT_SUFFIXES, Suffixes
from seqpipe.data.formats.column_file import COLUMN_SUFFIXES, count_column_file, read_column_file
from seqpipe.data.formats.hub import count_hub, is_saved_data_set, read_hub
from seqpipe.data.formats.manifest import count_manifest, read_manifest
from seqpipe.data.formats.walk import endings, find_files
from seqpipe.data.pages.names import METS, PAGE_SUFFIXES, is_page
from seqpipe.data.records import Records, manifest_kind, nameless, record_rows
from seqpipe.data.rows import Row
from seqpipe.data.spans import unread_spans
from seqpipe.errors import DataError, InputError
from seqpipe.inference.pipe import is_pipe, read_pipe
from seqpipe.inference.standard_input import read_standard_input
from seqpipe.inference.text_file import count_text_file, read_text_file


def expand_inputs(
    arguments: Iterable[str],
    config: Naming,
    *,
    suffixes: Suffixes,
    notice: Callable[[str], None] | None = None,
    passed_over: Counter[str] | None = None,
) -> Iterator[Row | Failure]:
    """Rows of files, folders, patterns, manifests, data sets, and ``-`` for standard input, one at a time.

    A folder is walked with all folders in it (`find_files`), unless ``save_to_disk`` wrote it: then it is a data set,
    as is ``hub:NAME[:CONFIGURATION][@SPLIT]``. A pattern (``*.flac``, ``**/*.flac``) gives its matches sorted; one with
    ``**`` passes over folders that it matches, since what is in them matches by itself, unless it ends with a slash.
    Of a run that was trained on column files (``format: columns``), files with an ending of `COLUMN_SUFFIXES` are such,
    a row a sentence; they need no more columns than the input. Of one that was trained on parallel text, a folder gives
    its files of the source language too (``*.en``). Where the features read images, files that end with
    ``.xml`` are pages in ALTO or PAGE, a row a line (`page_rows`); with ``format: pages`` they are what a folder gives,
    in the place of images. What is no manifest and no column file by its name is a
    recording where the features read files; where they don't it is text, a row a line. What isn't there, or can't be
    read, becomes a `Failure` in its place, and so does a row of a manifest that can't be told from its neighbours, a
    sentence with a damaged line, and a line of text that is no UTF-8 or holds a null character.

    Ids are a row's id column, else its path (``path@start`` of a span), a sentence's own (``# sent_id = ``),
    ``page:line`` of a page's line, else ``name:number`` of the row, line or sentence.

    Args:
        arguments: as given on the command line.
        config: which columns a manifest or column file has. Its ``format`` is that of the recipe's own sources, and
            says whether column files are expected; else names decide.
        suffixes: endings of the files that inputs are; none where they are text.
        notice: told what the user should know about a manifest or folder.
        passed_over: counts the files in folders that are no inputs, by their endings.

    Raises:
        DataError: a manifest or data set can't be read at all, or has no such columns.
    """
    names = _Names(suffixes, config)
    for argument in arguments:
        for source in _sources(argument, names):
            yield from _rows(source, names, notice, passed_over)


def check_inputs(arguments: Iterable[str], config: Naming, *, suffixes: Suffixes) -> None:
    """Look at the header and the first rows of each manifest or column file, before hours are spent on others.

    Raises:
        DataError: as `expand_inputs` would, when it comes to the manifest; or it is missing.
    """
    names = _Names(suffixes, config)
    for argument in arguments:
        is_listing = names.listing(argument) in ("manifest", "columns")
        if is_listing and not _mode(argument) and not glob.has_magic(argument):
            raise DataError(f"{argument}: there is no such file")
        source = _source_at(argument, names)
        if source.kind in ("manifest", "columns"):
            rows = itertools.islice(_rows(source, names, None), 100)
            any(isinstance(row, Row) for row in rows)  # the first that is whole tells of columns


def count_inputs(arguments: Iterable[str], config: Naming, suffixes: Suffixes) -> int | None:
    """How many rows and failures `expand_inputs` will give, for showing the time left; no recording is read.

    It takes a walk of the folders and a pass over the lines of manifests and column files. Files may come and go
    meanwhile: it is no promise.

    Args:
        arguments, config, suffixes: as `expand_inputs` takes them; no column is looked at.

    Returns:
        The number; None where it can't be known (standard input, a data set that is not saved on this machine, a pipe)
        or where something is broken, of which `expand_inputs` will tell.
    """
    total = 0
    names = _Names(suffixes, config)
    for argument in arguments:
        for source in _sources(argument, names):
            try:
                count = _count(source, names)
            except DataError:
                return None
            if count is None:
                return None
            total += count
    return total


class _Source(NamedTuple):
    kind: Literal[
        "standard input",
        "data set",
        "manifest",
        "columns",
        "page",
        "folder",
        "text",
        "pipe of text",
        "file",
        "pipe",
        "no match",
    ]
    name: str


class _Names(NamedTuple):
    """What decides what a name stands for."""

    suffixes: Suffixes
    config: Naming

    def listing(self, name: str) -> Literal["manifest", "columns", "page"] | None:
        """What a file of this name lists inputs in; None of one that is an input itself, or text."""
        ending = Path(name).suffix.lower()
        if self.config.format == "columns" and not self.suffixes and ending in COLUMN_SUFFIXES:
            return "columns"
        if self.suffixes & IMAGE_SUFFIXES and is_page(name):
            return "page"
        return "manifest" if manifest_kind(Path(name)) else None

    @property
    def in_folders(self) -> frozenset[str]:
        """Endings of the files that a folder gives."""
        if self.config.format == "pages" and self.suffixes & IMAGE_SUFFIXES:
            return PAGE_SUFFIXES
        if self.suffixes:
            return self.suffixes
        if self.config.format == "parallel":
            return TEXT_SUFFIXES | {f".{self.config.input.lower()}"}
        return TEXT_SUFFIXES | COLUMN_SUFFIXES if self.config.format == "columns" else TEXT_SUFFIXES

    @property
    def beside(self) -> Suffixes:
        """Endings of files that belong to inputs of a folder: texts of recordings, pages and their images."""
        if self.suffixes & IMAGE_SUFFIXES:
            return TEXT_SUFFIXES | PAGE_SUFFIXES | IMAGE_SUFFIXES
        return TEXT_SUFFIXES if self.suffixes else frozenset()


def _sources(argument: str, names: _Names) -> Iterator[_Source]:
    """What an argument stands for: more than one thing if it is a pattern."""
    if argument == "-":
        yield _Source("standard input", argument)
    elif argument.startswith("hub:"):
        yield _Source("data set", argument)
    elif _mode(argument) or not glob.has_magic(argument):
        yield _source_at(argument, names)
    else:
        matches = glob.glob(argument, recursive=True)  # noqa: PTH207 - absolute patterns too
        matches.sort(reverse=True)
        no_folders = "**" in argument and not argument.endswith("/")
        found = False
        while matches:  # let go of as they are used
            source = _source_at(matches.pop(), names)
            is_listing = source.kind == "page" and _lists_pages(source.name)
            if not is_listing and not (no_folders and source.kind in ("folder", "data set")):
                found = True
                yield source
        if not found:
            yield _Source("no match", argument)


def _source_at(name: str, names: _Names) -> _Source:
    mode = _mode(name)
    if not mode and not name.isascii():
        name = str(on_disk(Path(name)))
        mode = _mode(name)
    if stat.S_ISDIR(mode):
        return _Source("data set" if is_saved_data_set(Path(name)) else "folder", name)
    if stat.S_ISREG(mode) and (listing := names.listing(name)):
        return _Source(listing, name)
    if names.suffixes:
        return _Source("pipe" if is_pipe(name, mode) else "file", name)
    return _Source("text" if stat.S_ISREG(mode) or not mode else "pipe of text", name)


def _mode(name: str) -> int:
    """Of the file or folder; 0 if there is none, and reading it will say what is wrong."""
    try:
        return Path(name).stat().st_mode
    except (OSError, ValueError):
        return 0


def _rows(
    source: _Source,
    names: _Names,
    notice: Callable[[str], None] | None,
    passed_over: Counter[str] | None = None,
) -> Iterator[Row | Failure]:
    name = source.name
    try:
        match source.kind:
            case "standard input":
                yield from read_standard_input(names.config, suffixes=names.suffixes)
            case "manifest" | "columns" | "data set":
                yield from _listed_rows(source, names, notice)
            case "page":
                from seqpipe.data.pages.rows import page_rows  # all of XML: no other input should wait for it

                # Without a source: messages about a line name document and line themselves.
                rows = page_rows([Path(name)], needs_target=False, columns=(names.config.input, names.config.target))
                yield from (replace(row, source="") for row in rows)
            case "folder":
                reads_images = bool(names.in_folders & IMAGE_SUFFIXES)
                if notice is not None and reads_images:
                    from seqpipe.data.pages.rows import unread_pages

                    if message := unread_pages(name):
                        notice(message)
                others: Counter[str] = Counter()
                for inner in _folder_sources(name, names, others):
                    yield from [inner] if isinstance(inner, Failure) else _rows(inner, names, notice)
                for ending in names.beside:
                    del others[ending]
                if passed_over is not None:
                    passed_over.update(others)
                if notice is not None and others:
                    notice(f"{name}: passed over {others.total():,} files: {endings(others)}")
            case "text" | "pipe of text":
                if notice is not None and Path(name).suffix.lower() in COLUMN_SUFFIXES:
                    notice(
                        f"{name}: is read as text, a line an input; if it is a column file: --set data.format=columns "
                        "--set data.input=1 (the number of its column of words)"
                    )
                yield from read_text_file(name, blanks=names.config.format == "parallel")
            case "file":  # if it is missing, reading it says so
                yield Row(name, FileSpan(Path(name)))
            case "pipe":
                yield Row(name, FileSpan(read_pipe(Path(name))))
            case "no match":
                yield Failure(name, "missing", f"{name}: no file matches this pattern")
    except InputError as error:
        yield Failure(name, error.kind, str(error))
    except OSError as error:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            yield Failure(name, "missing", f"{name}: no such file")
        else:
            yield Failure(name, "unreadable", f"{name}: can't be read ({error.strerror or error})")


def _listed_rows(source: _Source, names: _Names, notice: Callable[[str], None] | None) -> Iterator[Row | Failure]:
    name, config = source.name, names.config
    records, base, shown = _records(source, config)
    for row in record_rows(
        records, config, base, shown, suffixes=names.suffixes, needs_target=False, needs_id=False, strict=False
    ):
        is_path = isinstance(row.input, FileSpan) and row.input.path is not None
        if row.id == str(row.number) and not (config.id and config.id in row.columns) and not is_path:
            row = replace(row, id=f"{name}:{row.number}")  # several manifests may have a row 1
        if row.problem is not None:
            message = f"{row.where}: {row.problem}" if row.source else str(row.problem)
            yield Failure(row.id, row.problem.kind, message)
            continue
        if notice is not None and (unread := unread_spans(row, config)):
            notice(f"{name}: {unread}")
            notice = None  # one row speaks for all
        yield row


def _records(source: _Source, config: Naming) -> tuple[Records, Path, str]:
    """Records of a list, what paths in it are relative to, and its name for messages."""
    path = Path(source.name)
    if source.kind == "columns":
        return read_column_file(path, config, needs_target=False), path.parent, str(path)
    if source.kind == "manifest":
        return nameless(read_manifest(path, str(manifest_kind(path)), strict=False)), path.parent, str(path)
    name = source.name.removeprefix("hub:")
    return nameless(read_hub(name)), Path(), f"hub:{name}"


def _lists_pages(name: str | Path) -> bool:
    """Whether a file is no page, but lists those of an export; see `METS`."""
    return Path(name).name.lower() == METS


def _folder_sources(name: str, names: _Names, passed_over: Counter[str] | None = None) -> Iterator[_Source | Failure]:
    is_empty = True
    for found in find_files(Path(name), names.in_folders, passed_over):
        if isinstance(found, Path) and _lists_pages(found):
            continue
        is_empty = False
        if isinstance(found, OSError):
            folder = str(found.filename)
            yield Failure(folder, "unreadable", f"{folder}: the folder can't be read ({found.strerror})")
        else:
            kind = names.listing(str(found)) or ("file" if names.suffixes else "text")
            yield _Source(kind, str(found))
    if is_empty:
        what = "file to read" if names.suffixes else "text"
        yield Failure(name, "empty", f"{name}: the folder holds no {what} ({', '.join(sorted(names.in_folders))})")


def _count(source: _Source, names: _Names) -> int | None:
    """How many `_rows` there will be; raises `DataError` where `_rows` does."""
    try:
        match source.kind:
            case "standard input" | "pipe of text":
                return None
            case "data set":
                return count_hub(source.name.removeprefix("hub:"))
            case "manifest":
                path = Path(source.name)
                return count_manifest(path, str(manifest_kind(path)))
            case "columns":
                return count_column_file(Path(source.name), names.config)
            case "page":
                from seqpipe.data.pages.rows import count_lines

                return count_lines(Path(source.name))
            case "folder":
                inner = _folder_sources(source.name, names)
                return sum(1 if isinstance(one, Failure) else _count(one, names) or 0 for one in inner)
            case "text":
                return count_text_file(source.name, blanks=names.config.format == "parallel")
            case "file" | "pipe" | "no match":
                return 1
    except OSError:
        return 1  # its failure


def input_files(arguments: Iterable[str], config: Naming, *, suffixes: Suffixes) -> Iterator[Path]:
    """The files that `expand_inputs` reads inputs, or names of inputs, from; none of ``hub:`` and standard input.

    Args:
        arguments, config, suffixes: as `expand_inputs` takes them.
    """
    names = _Names(suffixes, config)
    for argument in arguments:
        if not argument.startswith("hub:"):
            for source in _sources(argument, names):
                yield from _files(source, names)


def _files(source: _Source, names: _Names) -> Iterator[Path]:
    path = Path(source.name)
    match source.kind:
        case "folder":
            for inner in _folder_sources(source.name, names):
                yield from [] if isinstance(inner, Failure) else _files(inner, names)
        case "data set":
            yield from path.rglob("*")
        case "manifest" | "columns" | "page":
            yield path
            for row in _rows(source, names, None) if names.suffixes else ():
                if isinstance(row, Row) and isinstance(row.input, Input) and row.input.path is not None:
                    yield row.input.path
        case _:
            yield path
