"""Lines of pages as rows."""

from __future__ import annotations

import glob
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

from seqpipe.core.file_names import on_disk
from seqpipe.core.files import expand_home
from seqpipe.core.suffixes import IMAGE_SUFFIXES
from seqpipe.core.warning import warn
from seqpipe.data.formats.folder import files_below
from seqpipe.data.formats.safe_xml import LARGEST
from seqpipe.data.formats.walk import find_files
from seqpipe.data.pages.document import Line, PageDocument
from seqpipe.data.pages.geometry import complete
from seqpipe.data.pages.line import PageLine
from seqpipe.data.pages.names import METS, PAGE_SUFFIXES, is_page
from seqpipe.data.pages.read import read_page
from seqpipe.data.rows import Row
from seqpipe.errors import DataError, InputError

_LINE = re.compile(rb"<(?:[\w.-]+:)?TextLine[\s/>]")


def page_files(source: str, root: Path) -> list[Path]:
    """Documents of a source: a file, a pattern, or a folder with all folders in it.

    ``METS.xml`` is left out of folders and patterns.

    Raises:
        DataError: there are none, or a folder can't be read.
    """
    path = on_disk(root / expand_home(source))
    if path.is_file():
        return [path]
    if path.is_dir():
        found = list(files_below(path, PAGE_SUFFIXES))
    elif glob.has_magic(source):
        # Not as one pattern: the root's own name may have brackets.
        names = glob.glob(str(expand_home(source)), root_dir=root, recursive=True)  # noqa: PTH207
        found = [root / name for name in sorted(names) if is_page(name)]
    else:
        raise DataError(f"{path}: there is no such file or folder")
    found = [inner for inner in found if inner.name.lower() != METS]
    if not found:
        raise DataError(f"{path}: there is no document of a page (.xml)")
    return found


def unread_pages(folder: str) -> str | None:
    """What to tell the user of documents in a folder of which only images are read, and how to read them; else None."""
    found = [path for path in find_files(Path(folder), PAGE_SUFFIXES) if isinstance(path, Path)]
    found = [path for path in found if path.name.lower() != METS]
    if not found:
        return None
    deep = any(path.parent != Path(folder) for path in found)
    pattern = Path(glob.escape(folder), "**" if deep else "", "*.xml")
    return (
        f"{folder}: of a folder each image is read as a line; {len(found):,} documents (.xml) in it are not read. "
        f"If they are pages in ALTO or PAGE, give '{pattern}'"
    )


def page_rows(
    files: Iterable[Path], *, root: Path | None = None, needs_target: bool, columns: tuple[str, str] = ("path", "text")
) -> Iterator[Row]:
    """A row for each line of pages, in reading order: called ``page:line``, with the transcription (NFC) as its target.

    A line without transcription is no example: where targets are needed it is left out, and so is a page without lines;
    how many such lines there are, and how many whose text is doubtful (`Doubt`), is told at the end (`warn`). Else a
    page without lines has a row with a `Row.problem` (``empty``). A document that can't be read is one row with a
    problem, a line that can't be found a row with a problem of its own.

    Args:
        files: documents, in ALTO or PAGE.
        root: what names of pages are relative to, where they lie in it.
        needs_target: whether lines are examples, or to be answered.
        columns: what a row calls its input and its target. Beside them it has ``page``, ``region`` and ``line``.
    """
    counts = _LineCounts()
    for path in files:
        name = str(path.relative_to(root)) if root is not None and path.is_relative_to(root) else str(path)
        try:
            document = read_page(path)
        except InputError as error:
            yield Row(name, None, number=1, source=str(path), problem=error)
            continue
        if not needs_target and not document.lines:
            problem = InputError("empty", f"{path}: describes a page without lines")
            yield Row(name, None, number=1, source=str(path), problem=problem)
        yield from _rows(document, name, needs_target, columns, counts)
    for kind, message in counts.messages():
        warn(kind, message)


class _LineCounts:
    """Lines of which something is to be told, by what that is: how many, and the first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, line: Line, where: str) -> None:
        """Note a line that is, or would be, an example."""
        if what := line.doubt or ("" if line.text else "missing"):
            self.counts[what] += 1
            self.first.setdefault(what, where)

    def messages(self) -> Iterator[tuple[str, str]]:
        """What to tell the user, as (a short fixed kind, a message)."""
        for what, (kind, said) in _SAID.items():
            if count := self.counts[what]:
                yield kind, f"{count:,} {'line' if count == 1 else 'lines'} {said}; the first: {self.first[what]}"


_SAID = {
    "missing": ("no transcription", "without text, so no examples"),
    "emptied": (
        "emptied transcription",
        "whose text is empty while another reading of it (an alternative, in PAGE one of a higher index) is not, so no "
        "examples",
    ),
    "of parts": ("text of parts", "whose own text is empty, so that the text of its words was taken"),
}


def _rows(
    document: PageDocument, name: str, needs_target: bool, columns: tuple[str, str], counts: _LineCounts
) -> Iterator[Row]:
    image = find_image(document)
    has_image = _is_file(image)
    lines = [(region, line) for region in document.regions for line in region.lines]
    for number, ((region, line), found) in enumerate(zip(lines, complete(document.lines), strict=True), 1):
        text = unicodedata.normalize("NFC", line.text) or None
        if needs_target:
            counts.add(line, f"{document.path}, line {line.id}")
            if not text:
                continue
        problem: InputError | None = None
        if isinstance(found, str):
            problem = InputError("bad value", f"{document.path}, line {line.id}: {found}")
            found = (), ()
        elif not has_image:
            problem = InputError("missing", f"{document.path}, line {line.id}: {_no_image(document)}")
        page_line = PageLine(image, *found, line.id, document.path, document.size)
        said: dict[str, Any] = {"page": name, "region": region.id, "line": line.id}
        said |= {columns[0]: page_line, columns[1]: text}
        yield Row(f"{name}:{line.id}", page_line, text, number, str(document.path), said, problem)


def count_lines(path: Path) -> int:
    """How many rows `page_rows` will give where no targets are needed, without parsing: 1 of a page without lines.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    return 1 if len(content) > LARGEST else max(1, len(_LINE.findall(content)))  # what is larger is a problem


def page_of(row_id: str) -> tuple[str, str] | None:
    """Page and line of a row's id, if it is one that `page_rows` gives a line."""
    page, _, line = row_id.rpartition(":")
    return (page, line) if is_page(page) and "/" not in line else None


def find_image(document: PageDocument) -> Path:
    """The image of a page: by the name that the document gives, else one with the document's name and another ending.

    The name is relative to the document. Of one that leads nowhere, out of the document's folder, or to another machine
    (an absolute name), only the last part counts: it is looked for beside the document and, as in exports of
    Transkribus, whose documents lie in a folder ``page``, one folder above. No other folder is looked into.

    Returns:
        A path, which may not be there: then it is the first that was looked for.
    """
    wanted = document.image.replace("\\", "/").removeprefix("file://")
    folder, last = document.path.parent, PurePath(wanted).name
    candidates: list[Path] = []
    if PurePath(last).suffix.lower() in IMAGE_SUFFIXES:
        elsewhere = PurePath(wanted).is_absolute() or ":" in wanted or ".." in PurePath(wanted).parts
        relative = [] if elsewhere else [folder / wanted]
        candidates = [*relative, folder / last, folder.parent / last]
    stem = document.path.stem
    endings = sorted(IMAGE_SUFFIXES)
    candidates += [folder / f"{stem}{ending}" for ending in (*endings, *map(str.upper, endings))]
    return next((path for path in map(on_disk, candidates) if _is_file(path)), candidates[0])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for a file, or a folder that may not be looked into
        return False


def _no_image(document: PageDocument) -> str:
    names = f"{document.path.stem}.jpg, .png or .tif"
    if not document.image:
        return f"the page's image is not there: the document names none, and none lies beside it as {names}"
    return (
        f"the page's image is not there: the document names {document.image!r}, and none lies beside it under this "
        f"name or as {names}"
    )
