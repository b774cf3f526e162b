"""Answers for lines of pages, as documents in ALTO or PAGE."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, indent

from seqpipe import __version__
from seqpipe.core.files import draft_folder
from seqpipe.data.pages.alto import put_alto_text, read_alto, sign_alto
from seqpipe.data.pages.document import PageDocument
from seqpipe.data.pages.names import PAGE_SUFFIXES
from seqpipe.data.pages.page_xml import put_page_text, put_region_text, read_page_xml, sign_page
from seqpipe.data.pages.read import read_page
from seqpipe.data.pages.rows import page_of
from seqpipe.data.pages.xml_text import xml_text
from seqpipe.errors import DataError, InputError
from seqpipe.inference.formats.ctm import word_confidences
from seqpipe.inference.formats.folder import FAILURES
from seqpipe.inference.formats.names import NewFiles
from seqpipe.inference.formats.new_document import layout_of, new_alto, new_page
from seqpipe.inference.formats.store import read_store, readable
from seqpipe.text.splitting import words_of

SOFTWARE = "seqpipe"

Answers = dict[str, dict[str, Any]]
"""Of a page's lines, by their ids."""


def write_pages(store: Path, kind: str, output: Path) -> None:
    """A document for each page whose lines were answered, called after it, and ``failures.jsonl`` where there are any.

    An answer's id says which page and line it is of. Where the page's own document is in the wanted format, it is
    written again with the new text in the place of the old one; else a new one is made of its geometry. A line that
    failed, or was not asked for, keeps the text that it had. No document says when it was written, so that the same
    answers give the same bytes; where PAGE wants a time, for a new document, it has that of the page's own one.

    Args:
        store: the finished answers; those of a page follow one another.
        kind: ``alto`` or ``page``.
        output: the folder; not there yet, or empty.

    Raises:
        DataError: the store can't be read, or a page's document no more.
    """
    with draft_folder(output) as folder:
        files = NewFiles(folder, ending=".xml", replaced=PAGE_SUFFIXES)
        for page, answers, failures in _by_page(store):
            if failures:
                with (folder / FAILURES).open("ab") as file:
                    file.writelines(failures)
            if page is None:
                continue
            try:
                document = read_page(Path(page))
            except InputError as error:
                raise DataError(
                    f"{error}; it was there when its lines were answered: bring it back, and --resume"
                ) from None
            content = xml_text(_answered(document, kind, answers))
            _, opened = files.open(page)
            with opened:
                opened.write(content)


def _by_page(store: Path) -> Iterator[tuple[str | None, Answers, list[bytes]]]:
    """Answers of one page after the other, with the failures of its lines; None and the failure of what is no page."""
    page: str | None = None
    answers: Answers = {}
    seen: set[str] = set()
    failures: list[bytes] = []
    for line, record in read_store(store):
        place = page_of(record["id"])
        if place is None and "error" not in record:
            raise DataError(f"{store}: {record['id']} is no line of a page; --format jsonl")
        if page is not None and (place is None or place[0] != page or place[1] in seen):
            yield page, answers, failures
            page, answers, seen, failures = None, {}, set(), []
        if place is None:
            yield None, {}, [line]
            continue
        page = place[0]
        seen.add(place[1])
        if "error" in record:
            failures.append(line)
        else:
            answers[place[1]] = record
    if page is not None:
        yield page, answers, failures


def _answered(document: PageDocument, kind: str, answers: Answers) -> Element:
    """The document of a page with the texts of the answers."""
    ids = {line.id: line.id for line in document.lines}
    old = {line.id: line.text for line in document.lines}
    is_new = document.kind != kind
    if is_new:
        layout = layout_of(document)
        root, path = new_alto(layout) if kind == "alto" else new_page(layout), document.path
        document = read_alto(root, path) if kind == "alto" else read_page_xml(root, path)
        ids = {line.id: line.was for region in layout.regions for line in region.lines}
    for region in document.regions:
        texts = []
        for line in region.lines:
            was = ids.get(line.id, "")
            record = answers.get(was)
            if record is None and not is_new:  # as it stands, words and their places with it
                texts.append(line.text)
                continue
            text = readable(" ".join(words_of(old.get(was, "") if record is None else record["text"])))
            sure = None if record is None else record.get("confidence")
            words = word_confidences(record or {}, len(words_of(text)))
            if kind == "alto":
                put_alto_text(line, text, sure, words)
            else:
                put_page_text(line, text if record or text else None, sure, words)
            texts.append(text)
        if kind == "page":
            put_region_text(region, texts)
    if kind == "alto":
        sign_alto(document.root, SOFTWARE, __version__)
    else:
        time = datetime.fromtimestamp(int(document.path.stat().st_mtime), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        sign_page(document.root, SOFTWARE, __version__, time)
    if is_new:
        indent(document.root)
    return document.root
