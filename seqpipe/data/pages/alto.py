"""ALTO: reading a page's lines, and putting transcriptions in their place.

Source: altoxml/schema, versions 2.0 to 4.4. Until version 4.1 a baseline is a single y, from 4.2 on a list of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from seqpipe.data.formats.safe_xml import local_name
from seqpipe.data.pages.alto_order import in_reading_order
from seqpipe.data.pages.document import (
    STEP,
    Box,
    Doubt,
    Line,
    PageDocument,
    bounds,
    child,
    children,
    corners,
    is_near,
    number_in,
    only_page,
    parse_points,
    read_regions,
    remove_children,
    shortened,
)
from seqpipe.data.pages.line import Points
from seqpipe.errors import InputError
from seqpipe.text.splitting import words_of

UNITS = ("pixel", "mm10", "inch1200")
STALE = ("CC", "WC", "SUBS_TYPE", "SUBS_CONTENT", "CS")
"""What a word says of its old content: characters' and word's confidence, a hyphenated word's whole, that a person has
corrected it."""


def read_alto(root: Element, path: Path) -> PageDocument:
    """The page of an ALTO document; raises `InputError` as `read_page` does."""
    page = only_page(root, path)
    description = child(root, "Description")
    said: dict[str, str] = {}
    for element in () if description is None else description.iter():
        said.setdefault(local_name(element), (element.text or "").strip())
    unit = said.get("MeasurementUnit") or "pixel"
    if unit not in UNITS:
        raise InputError("bad value", f"{path}: its MeasurementUnit should be {', '.join(UNITS)}; received {unit!r}")
    size = number_in(page.attrib, "WIDTH", "HEIGHT")
    size = size if size is not None and min(size) > 0 else None
    if unit != "pixel" and size is None:
        raise InputError(
            "bad value", f"{path}: is measured in {unit}, and its Page has no WIDTH and HEIGHT that give the scale"
        )
    return PageDocument(
        path=path,
        kind="alto",
        root=root,
        image=said.get("fileName", ""),
        size=None if size is None else (size[0], size[1]),
        in_pixels=unit == "pixel",
        regions=in_reading_order(root, page, read_regions(page, "ID", _line, _outline)),
    )


def _outline(region: Element) -> Points:
    try:
        points = _polygon(region)
    except ValueError:
        points = ()
    box = _box(region)
    return points or (corners(box) if box else ())


def _line(element: Element, name: str) -> Line:
    strings = children(element, "String")
    box = _box(element) or bounds(point for string in strings if (one := _box(string)) for point in corners(one))
    problem = ""
    baseline: Points = ()
    polygon: Points = ()
    try:
        polygon = _polygon(element)
        baseline = _baseline(element.get("BASELINE", ""), bounds(polygon) or box)
    except ValueError as error:
        problem = f"its Shape or BASELINE are no points ({shortened(str(error))})"
    text = _text(element)
    doubt: Doubt | None = "emptied" if not text and _has_other(strings) else None
    return Line(name, element, baseline, polygon, box, text, problem, doubt)


def _baseline(given: str, box: Box | None) -> Points:
    """Points of a baseline; of a single height a level line as wide as the line."""
    try:
        height = float(given)
    except ValueError:
        return parse_points(given)
    if not is_near(height):
        raise ValueError(f"{given} is no height on a page")
    return ((box[0], height), (box[2], height)) if box else ()


def _polygon(element: Element) -> Points:
    shape = child(element, "Shape")
    polygon = child(shape, "Polygon") if shape is not None else None
    return parse_points(polygon.get("POINTS", "")) if polygon is not None else ()


def _box(element: Element) -> Box | None:
    found = number_in(element.attrib, "HPOS", "VPOS", "WIDTH", "HEIGHT")
    if found is None or found[2] <= 0 or found[3] <= 0:
        return None
    left, top, width, height = found
    return left, top, left + width, top + height


def _text(element: Element) -> str:
    """Words with a blank between any two, and a hyphen behind the last without one."""
    text = ""
    for part in element:
        match local_name(part):
            case "String":
                text += (" " if text and not text.endswith(" ") else "") + part.get("CONTENT", "")
            case "SP":
                text += "" if text.endswith(" ") else " "
            case "HYP":
                text = text.rstrip() + part.get("CONTENT", "-")
    return text.strip()


def _has_other(strings: Sequence[Element]) -> bool:
    """Whether empty words have other readings, or glyphs that are not empty."""
    return any(
        (part.text or "").strip() if local_name(part) == "ALTERNATIVE" else part.get("CONTENT", "").strip()
        for string in strings
        for part in string.iter()
    )


def put_alto_text(line: Line, text: str, confidence: float | None, words: Sequence[float | None]) -> None:
    """Put a transcription in the place of the old one; geometry and ids stay.

    Where the line had as many words as it has now, each keeps its place. Else the whole text stands in one ``String``
    of the line's size, as layout editors write it: places of words would be made up.

    Args:
        line: of a document that `read_alto` read.
        text: may be empty.
        confidence: of the text, 0 to 1, if there is one.
        words: confidence of each word of the text.
    """
    element = line.element
    element.attrib.pop("CS", None)
    strings, parts = children(element, "String"), words_of(text)
    if len(strings) == len(parts) > 1:
        remove_children(element, ("HYP",))
        for string, word, sure in zip(strings, parts, words, strict=True):
            _fill(string, word, sure)
        return
    namespace = element.tag.removesuffix("TextLine")
    string = strings[0] if strings else SubElement(element, f"{namespace}String")
    remove_children(element, ("String", "SP", "HYP"), but=string)
    if len(strings) > 1:
        remove_children(string, ("Shape",))
        for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"):
            string.attrib.pop(name, None)
            if name in element.attrib:
                string.set(name, element.attrib[name])
    _fill(string, text, confidence)


def _fill(string: Element, text: str, confidence: float | None) -> None:
    for name in STALE:
        string.attrib.pop(name, None)
    remove_children(string, ("ALTERNATIVE", "Glyph"))
    string.set("CONTENT", text)
    if confidence is not None:
        string.set("WC", f"{confidence:.4f}")


def sign_alto(root: Element, software: str, version: str) -> None:
    """Note in the document's description which program wrote its text, if it doesn't say so already.

    Not when, for the same work gives the same.
    """
    namespace = root.tag.removesuffix("alto")
    description = child(root, "Description")
    if description is None:
        description = Element(f"{namespace}Description")
        SubElement(description, f"{namespace}MeasurementUnit").text = "pixel"
        root.insert(0, description)
    if any(_signature(element) == (STEP, software, version) for element in description.iter()):
        return
    taken = {element.get("ID") for element in root.iter()}
    name = next(name for name in (f"seqpipe{number or ''}" for number in range(len(taken) + 1)) if name not in taken)
    if "/ns-v4" in namespace:
        step = SubElement(description, f"{namespace}Processing", ID=name)
        SubElement(step, f"{namespace}processingCategory").text = "contentGeneration"
    else:
        outer = Element(f"{namespace}OCRProcessing", ID=name)
        description.append(outer)
        step = SubElement(outer, f"{namespace}ocrProcessingStep")
    SubElement(step, f"{namespace}processingStepDescription").text = STEP
    program = SubElement(step, f"{namespace}processingSoftware")
    SubElement(program, f"{namespace}softwareName").text = software
    SubElement(program, f"{namespace}softwareVersion").text = version


def _signature(step: Element) -> tuple[str, ...]:
    """What a processing step says that it did, and which program and version; of other elements something else."""
    program = child(step, "processingSoftware")
    inner = (
        child(step, "processingStepDescription"),
        *(None if program is None else child(program, name) for name in ("softwareName", "softwareVersion")),
    )
    return tuple("" if element is None else (element.text or "").strip() for element in inner)
