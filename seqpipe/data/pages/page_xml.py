"""PAGE: reading a page's lines, and putting transcriptions in their place.

Source: PRImA PAGE-XML, page content, versions 2010-03-19 to 2019-07-15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from seqpipe.data.formats.safe_xml import local_name
from seqpipe.data.pages.document import (
    STEP,
    Doubt,
    Line,
    PageDocument,
    Region,
    child,
    children,
    number_in,
    only_page,
    parse_points,
    read_regions,
    remove_children,
    shortened,
)
from seqpipe.data.pages.line import Points
from seqpipe.data.pages.page_order import in_reading_order
from seqpipe.text.splitting import words_of


def read_page_xml(root: Element, path: Path) -> PageDocument:
    """The page of a PAGE document; raises `InputError` as `read_page` does."""
    page = only_page(root, path)
    size = number_in(page.attrib, "imageWidth", "imageHeight")
    return PageDocument(
        path=path,
        kind="page",
        root=root,
        image=page.get("imageFilename", "").strip(),
        size=(size[0], size[1]) if size is not None and min(size) > 0 else None,
        in_pixels=True,
        regions=in_reading_order(page, read_regions(page, "id", _line, _outline)),
    )


def _outline(region: Element) -> Points:
    try:
        return _points(child(region, "Coords"))
    except ValueError:
        return ()


def _line(element: Element, name: str) -> Line:
    problem = ""
    baseline: Points = ()
    polygon: Points = ()
    try:
        polygon = _points(child(element, "Coords"))
        baseline = _points(child(element, "Baseline"))
    except ValueError as error:
        problem = f"its Coords or Baseline are no points ({shortened(str(error))})"
    text = _text(element)
    doubt: Doubt | None = None
    if not text and any(map(_own_text, element.iter())):
        doubt = "emptied"
    elif text and (readings := children(element, "TextEquiv")) and not any(map(_own_text, readings)):
        doubt = "of parts"
    return Line(name, element, baseline, polygon, None, text, problem, doubt)


def _points(element: Element | None) -> Points:
    """The attribute ``points``, or as in 2010 an element for each."""
    if element is None:
        return ()
    if "points" in element.attrib:
        return parse_points(element.attrib["points"])
    return parse_points(" ".join(f"{one.get('x')},{one.get('y')}" for one in children(element, "Point")))


_PARTS = {
    "TextLine": ("Word",),
    "Word": ("Glyph",),
    "Glyph": ("Graphemes",),
    "Graphemes": ("Grapheme", "GraphemeGroup", "NonPrintingChar"),
    "GraphemeGroup": ("Grapheme", "NonPrintingChar"),
}
"""What a line consists of, level by level."""


def _text(element: Element) -> str:
    """The text of a line or a part of one: its own, else that of its parts.

    Of several readings it is the one with the lowest index, which is the main one, also where it is empty and others
    are not: whoever emptied it didn't mean a machine's guess behind it. One without index stands behind those with one.
    Words and glyphs stand in the order of the text, whatever direction it is written in.
    """
    readings = children(element, "TextEquiv")
    texts = list(map(_own_text, readings))
    if any(texts):
        main = min(range(len(texts)), key=lambda at: number_in(readings[at].attrib, "index") or (math.inf,))
        return texts[main]
    name = local_name(element)
    parts = [_text(part) for part in element if local_name(part) in _PARTS.get(name, ())]
    return (" " if name == "TextLine" else "").join(filter(None, parts))


def _own_text(reading: Element) -> str:
    """Of a ``TextEquiv``: what it says in Unicode, else as plain text."""
    if local_name(reading) != "TextEquiv":
        return ""
    forms = (child(reading, "Unicode"), child(reading, "PlainText"))
    return next((text for form in forms if form is not None and (text := (form.text or "").strip())), "")


def put_page_text(line: Line, text: str | None, confidence: float | None, words: Sequence[float | None]) -> None:
    """Put a transcription in the place of the old one; geometry and ids stay.

    Words stay where the line had as many as it has now, each with its own; else they go, since nobody knows where
    the new ones stand.

    Args:
        line: of a document that `read_page_xml` read.
        text: None leaves the line without any.
        confidence: of the text, 0 to 1, if there is one.
        words: confidence of each word of the text.
    """
    element, parts = line.element, words_of(text or "")
    found = children(element, "Word")
    if text is not None and len(found) == len(parts):
        for word, part, sure in zip(found, parts, words, strict=True):
            _put(word, part, sure)
    else:
        remove_children(element, ("Word",))
    _put(element, text, confidence)


def put_region_text(region: Region, lines: Sequence[str]) -> None:
    """Renew the text of a region that has one, from its lines."""
    if children(region.element, "TextEquiv"):
        _put(region.element, "\n".join(lines), None)


BEFORE_TEXT = ("AlternativeImage", "Coords", "UserDefined", "Labels", "Roles", "Baseline", "Word", "TextLine")
"""What stands before the text in a line, a word or a region; in a line, UserDefined and Labels stand behind it."""


def _put(element: Element, text: str | None, confidence: float | None) -> None:
    namespace = element.tag.removesuffix(local_name(element))
    remove_children(element, ("TextEquiv", "Glyph"))
    if text is None:
        return
    is_region = local_name(element).endswith("Region")
    before = [
        place
        for place, part in enumerate(element, 1)
        if (name := local_name(part)) in BEFORE_TEXT[:2] + BEFORE_TEXT[5:]
        or (is_region and (name in BEFORE_TEXT or name.endswith("Region")))
    ]
    new = Element(f"{namespace}TextEquiv", {} if confidence is None else {"conf": f"{confidence:.4f}"})
    SubElement(new, f"{namespace}Unicode").text = text
    element.insert(max(before, default=0), new)


def sign_page(root: Element, software: str, version: str, time: str) -> None:
    """Note in the document's metadata which program wrote its text, if they don't say so already.

    Not when, so that the same work gives the same.

    Args:
        root: of a PAGE document.
        software, version: the program's.
        time: of a document without metadata, which have to say one: XML Schema's dateTime, in UTC.
    """
    namespace = root.tag.removesuffix("PcGts")
    metadata = child(root, "Metadata")
    if metadata is None:
        metadata = Element(f"{namespace}Metadata")
        root.insert(0, metadata)
        SubElement(metadata, f"{namespace}Creator").text = software
        SubElement(metadata, f"{namespace}Created").text = time
        SubElement(metadata, f"{namespace}LastChange").text = time
    changed = child(metadata, "LastChange")
    if (namespace.rstrip("}").rpartition("/")[2])[:4] >= "2019":
        step = {"type": "processingStep", "name": STEP, "value": f"{software} {version}"}
        if not any(item.attrib.items() >= step.items() for item in children(metadata, "MetadataItem")):
            SubElement(metadata, f"{namespace}MetadataItem", step)
        return
    comments = child(metadata, "Comments")
    if comments is None:
        comments = Element(f"{namespace}Comments")
        metadata.insert(1 + list(metadata).index(changed) if changed is not None else len(metadata), comments)
    said = f"{STEP}: {software} {version}"
    before = (comments.text or "").strip()
    if said not in before.split("; "):
        comments.text = f"{before}; {said}" if before else said
