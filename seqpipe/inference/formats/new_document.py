"""A page's document written anew, in the other format than its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from seqpipe.data.pages.document import PageDocument, bounds, corners
from seqpipe.data.pages.geometry import complete
from seqpipe.data.pages.line import Points
from seqpipe.data.pages.rows import find_image
from seqpipe.errors import InputError

ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Outline(NamedTuple):
    """A region or a line with its place, in pixels of the page's image; ``was`` is its id in the old document."""

    id: str
    was: str
    polygon: Points
    baseline: Points
    lines: Sequence[Outline]


class Layout(NamedTuple):
    """What a document says beside its texts, in pixels of the page's image."""

    image: str
    width: int
    height: int
    regions: Sequence[Outline]


def new_alto(layout: Layout) -> Element:
    """ALTO 4.2 with regions and lines, and without text."""
    root = Element(f"{{{ALTO}}}alto")
    root.set(f"{{{XSI}}}schemaLocation", f"{ALTO} http://www.loc.gov/standards/alto/v4/alto-4-2.xsd")

    def add(parent: Element, name: str, **attributes: str) -> Element:
        return SubElement(parent, f"{{{ALTO}}}{name}", attributes)

    description = add(root, "Description")
    add(description, "MeasurementUnit").text = "pixel"
    add(add(description, "sourceImageInformation"), "fileName").text = layout.image
    size = {"WIDTH": str(layout.width), "HEIGHT": str(layout.height)}
    page = add(add(root, "Layout"), "Page", ID="page", PHYSICAL_IMG_NR="1", **size)
    space = add(page, "PrintSpace", HPOS="0", VPOS="0", **size)
    for region in layout.regions:
        block = add(space, "TextBlock", ID=region.id, **_box(region.polygon))
        add(add(block, "Shape"), "Polygon", POINTS=_spaced(region.polygon))
        for line in region.lines:
            inner = add(block, "TextLine", ID=line.id, BASELINE=_spaced(line.baseline), **_box(line.polygon))
            add(add(inner, "Shape"), "Polygon", POINTS=_spaced(line.polygon))
            add(inner, "String", CONTENT="", **_box(line.polygon))
    return root


def new_page(layout: Layout) -> Element:
    """PAGE 2019-07-15 with regions and lines, and without text; points are whole numbers from 0 on, as it wants."""
    root = Element(f"{{{PAGE}}}PcGts")
    root.set(f"{{{XSI}}}schemaLocation", f"{PAGE} {PAGE}/pagecontent.xsd")

    def add(parent: Element, name: str, **attributes: str) -> Element:
        return SubElement(parent, f"{{{PAGE}}}{name}", attributes)

    page = add(root, "Page", imageFilename=layout.image, imageWidth=str(layout.width), imageHeight=str(layout.height))
    if layout.regions:
        order = add(add(page, "ReadingOrder"), "OrderedGroup", id="reading_order")
        for number, region in enumerate(layout.regions):
            add(order, "RegionRefIndexed", index=str(number), regionRef=region.id)
    for region in layout.regions:
        block = add(page, "TextRegion", id=region.id)
        add(block, "Coords", points=_comma(region.polygon))
        for line in region.lines:
            inner = add(block, "TextLine", id=line.id)
            add(inner, "Coords", points=_comma(line.polygon))
            add(inner, "Baseline", points=_comma(line.baseline))
    return root


def layout_of(document: PageDocument) -> Layout:
    """Where everything is, in pixels of the image if that can be opened, else of the page as its document has it.

    Ids are kept where XML lets them be. A line whose place its document doesn't tell is left out.
    """
    from seqpipe.features.image.page_image import page_size

    image = find_image(document)
    places = iter(complete(document.lines))
    size = document.size or _reach(document)
    try:
        width, height = page_size(image)
    except InputError:
        width, height = round(size[0]), round(size[1])
        across = down = 1.0
    else:
        across, down = (width / size[0], height / size[1]) if document.size else (1.0, 1.0)

    def scaled(points: Points) -> Points:
        return tuple((round(x * across, 2), round(y * down, 2)) for x, y in points)

    names = _Names()
    regions = []
    for region in document.regions:
        lines = []
        for line in region.lines:
            place = next(places)
            if not isinstance(place, str):
                baseline, polygon = place
                lines.append(Outline(names.new(line.id, "line"), line.id, scaled(polygon), scaled(baseline), ()))
        if lines:
            hull = bounds(point for line in lines for point in line.polygon) or (0.0, 0.0, 0.0, 0.0)
            polygon = scaled(region.polygon) if len(region.polygon) > 2 else corners(hull)
            regions.append(Outline(names.new(region.id, "region"), region.id, polygon, (), lines))
    return Layout(image.name, width, height, regions)


class _Names:
    """Ids as XML wants them, each once: a letter or ``_`` first, then these, digits, ``.`` and ``-``."""

    def __init__(self) -> None:
        self.taken = {"page", "reading_order"}

    def new(self, wanted: str, kind: str) -> str:
        name = re.sub(r"[^\w.-]", "_", wanted)
        if not re.match(r"[^\W\d]", name):
            name = f"{kind}_{name}" if name else kind
        plain, number = name, 2
        while name in self.taken:
            name, number = f"{plain}_{number}", number + 1
        self.taken.add(name)
        return name


def _reach(document: PageDocument) -> tuple[float, float]:
    """How far right and down the lines go, of a page whose size isn't told."""
    points = [(0.0, 0.0)]
    for line in document.lines:
        points += [*line.baseline, *line.polygon, *(((line.box[2], line.box[3]),) if line.box else ())]
    return max(1.0, *(x for x, _ in points)), max(1.0, *(y for _, y in points))


def _box(polygon: Points) -> dict[str, str]:
    left, top, right, bottom = bounds(polygon) or (0.0, 0.0, 0.0, 0.0)
    values = {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
    return {name: f"{value:.10g}" for name, value in values.items()}


def _spaced(points: Points) -> str:
    return " ".join(f"{x:.10g},{y:.10g}" for x, y in points)


def _comma(points: Points) -> str:
    whole = [f"{max(0, round(x))},{max(0, round(y))}" for x, y in points]
    return " ".join(whole if len(whole) > 1 else whole * 2)
