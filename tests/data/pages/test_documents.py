"""Pages in ALTO and PAGE, as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqpipe.data.pages.geometry import complete
from seqpipe.data.pages.read import read_page
from seqpipe.errors import InputError

TEXTS = ["été à Paris", "second line"]


def alto(
    lines: str | None = None,
    *,
    version: str = "http://www.loc.gov/standards/alto/ns-v4#",
    unit: str = "pixel",
    image: str = "scan.png",
    page: str = 'WIDTH="600" HEIGHT="400"',
) -> str:
    """A document; without lines, one with two of them, with baselines and polygons."""
    if lines is None:
        lines = alto_line("l1", 100, TEXTS[0]) + alto_line("l2", 200, TEXTS[1])
    namespace = f' xmlns="{version}"' if version else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alto{namespace}><Description><MeasurementUnit>{unit}</MeasurementUnit>
<sourceImageInformation><fileName>{image}</fileName></sourceImageInformation></Description>
<Layout><Page ID="p" PHYSICAL_IMG_NR="1" {page}><PrintSpace>
<TextBlock ID="b1" HPOS="40" VPOS="50" WIDTH="500" HEIGHT="200">{lines}</TextBlock>
</PrintSpace></Page></Layout></alto>"""


def alto_line(name: str, y: int, text: str) -> str:
    polygon = f"50,{y - 30} 550,{y - 30} 550,{y + 12} 50,{y + 12}"
    return (
        f'<TextLine ID="{name}" BASELINE="50 {y} 300 {y + 2} 550 {y}" HPOS="50" VPOS="{y - 30}" WIDTH="500" '
        f'HEIGHT="42">'
        f'<Shape><Polygon POINTS="{polygon}"/></Shape><String CONTENT="{text}" HPOS="50" VPOS="{y - 30}" WIDTH="500" '
        f'HEIGHT="42" WC="0.9" CC="0 0"/></TextLine>'
    )


def page_xml(lines: str | None = None, *, year: str = "2019-07-15", before: str = "", image: str = "scan.png") -> str:
    """A document; without lines, one with two of them, with baselines and polygons."""
    if lines is None:
        lines = page_line("l1", 100, TEXTS[0]) + page_line("l2", 200, TEXTS[1])
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{year}"><Metadata><Creator>x</Creator>
<Created>2020-01-01T00:00:00</Created><LastChange>2020-01-01T00:00:00</LastChange></Metadata>
<Page imageFilename="{image}" imageWidth="600" imageHeight="400">{before}
<TextRegion id="r1"><Coords points="40,50 540,50 540,250 40,250"/>{lines}</TextRegion></Page></PcGts>"""


def page_line(name: str, y: int, text: str, *, words: str = "", custom: str = "") -> str:
    custom = f' custom="{custom}"' if custom else ""
    return (
        f'<TextLine id="{name}"{custom}><Coords points="50,{y - 30} 550,{y - 30} 550,{y + 12} 50,{y + 12}"/>'
        f'<Baseline points="50,{y} 300,{y + 2} 550,{y}"/>{words}'
        f'<TextEquiv conf="0.9"><Unicode>{text}</Unicode></TextEquiv></TextLine>'
    )


def write(folder: Path, content: str, name: str = "a.xml") -> Path:
    """A document in a folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


BOX = 'HPOS="50" VPOS="70" WIDTH="500" HEIGHT="42"'


@pytest.mark.parametrize(
    "content",
    [
        alto(),
        alto(version="http://www.loc.gov/standards/alto/ns-v3#"),
        alto(version="http://www.loc.gov/standards/alto/ns-v2#"),
        alto(version=""),
        page_xml(),
        page_xml(year="2013-07-15"),
        page_xml(year="2017-07-15"),
    ],
)
def test_all_versions_say_the_same(content: str, tmp_path: Path) -> None:
    document = read_page(write(tmp_path, content))
    assert [line.id for line in document.lines] == ["l1", "l2"]
    assert [line.text for line in document.lines] == TEXTS
    assert document.image == "scan.png"
    assert document.size == (600, 400)
    assert document.lines[0].baseline == ((50, 100), (300, 102), (550, 100))
    assert document.lines[0].polygon == ((50, 70), (550, 70), (550, 112), (50, 112))
    (region,) = document.regions
    assert region.polygon[0] == (40, 50)


@pytest.mark.parametrize("year", ["2010-03-19", "2013-07-15"])
def test_points_may_be_elements(year: str, tmp_path: Path) -> None:
    points = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in [(50, 70), (550, 70), (550, 112), (50, 112)])
    lines = f'<TextLine id="l1"><Coords>{points}</Coords></TextLine>'
    (line,) = read_page(write(tmp_path, page_xml(lines, year=year))).lines
    assert line.polygon == ((50, 70), (550, 70), (550, 112), (50, 112))


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ('<String CONTENT="one"/><SP/><String CONTENT="two"/>', "one two"),
        ('<String CONTENT="one"/><String CONTENT="two"/>', "one two"),
        ('<String CONTENT="one"/><SP/><String CONTENT="two"/><SP/>', "one two"),
        ('<String CONTENT="recog"/><HYP CONTENT="-"/>', "recog-"),
        ('<String CONTENT="recog"/><SP/><HYP CONTENT="¬"/>', "recog¬"),
        ('<String CONTENT="  whole line "/>', "whole line"),
        ('<String CONTENT=""/>', ""),
        ("", ""),
        ('<String CONTENT="a &amp; b &lt;c&gt;"/>', "a & b <c>"),
    ],
)
def test_words_of_alto_make_a_text(inner: str, text: str, tmp_path: Path) -> None:
    (line,) = read_page(write(tmp_path, alto(f'<TextLine ID="l" {BOX}>{inner}</TextLine>'))).lines
    assert line.text == text


def equivalent(text: str, index: int | None = None) -> str:
    number = "" if index is None else f' index="{index}"'
    return f"<TextEquiv{number}><Unicode>{text}</Unicode></TextEquiv>"


def glyphs(text: str) -> str:
    """A glyph for each character."""
    return "".join(f"<Glyph>{equivalent(character)}</Glyph>" for character in text)


GRAPHEMES = (
    f"<Graphemes><GraphemeGroup><Grapheme>{equivalent('e')}</Grapheme><Grapheme>{equivalent(chr(0x301))}</Grapheme>"
    f"</GraphemeGroup><NonPrintingChar>{equivalent(chr(0x200D))}</NonPrintingChar></Graphemes>"
)


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (equivalent("one two"), "one two"),
        (equivalent("second", 1) + equivalent("first", 0), "first"),
        (equivalent("without") + equivalent("with", 3), "with"),
        (f'<Word id="a">{equivalent("one")}</Word><Word id="b">{equivalent("two")}</Word>', "one two"),
        (f'<Word id="a">{equivalent("one")}</Word>' + equivalent("the line"), "the line"),
        (f'<Word id="a">{equivalent("one")}</Word>' + equivalent(""), "one"),
        (equivalent("", 0) + equivalent("guess", 1), ""),
        (equivalent("guess", 1) + equivalent(" ", 0), ""),
        (equivalent("") + equivalent("guess"), ""),
        (equivalent("guess") + equivalent(""), "guess"),
        (equivalent("") + equivalent("guess", 7), "guess"),
        (f'<Word id="a">{equivalent("one")}</Word>' + equivalent("", 0) + equivalent("guess", 1), ""),
        (
            f'<Word id="a">{equivalent("one")}</Word><Word id="b">{equivalent("", 0)}{equivalent("guess", 1)}</Word>',
            "one",
        ),
        ("<TextEquiv><PlainText>plain</PlainText><Unicode>ünicode</Unicode></TextEquiv>", "ünicode"),
        ("<TextEquiv><PlainText>plain text</PlainText></TextEquiv>", "plain text"),
        ("<TextEquiv><PlainText>plain</PlainText><Unicode/></TextEquiv>", "plain"),
        (f'<TextEquiv index="0"><PlainText>main</PlainText></TextEquiv>{equivalent("other", 1)}', "main"),
        ('<Word id="a"><TextEquiv><PlainText>one</PlainText></TextEquiv></Word>', "one"),
        (f'<Word id="a">{glyphs("one")}</Word><Word id="b">{glyphs("två")}</Word>', "one två"),
        (f'<Word id="a">{glyphs("x")}{equivalent("one")}</Word><Word id="b">{glyphs("two")}</Word>', "one two"),
        (f'<Word id="a">{glyphs("שלום")}</Word>', "שלום"),
        (f'<Word id="a"><Glyph id="b">{GRAPHEMES}</Glyph>{glyphs("x")}</Word>', "e\u0301\u200dx"),
        (f'<Word id="a">{"<Glyph><Word>" * 5000}{equivalent("deep")}{"</Word></Glyph>" * 5000}</Word>', ""),
        ("", ""),
    ],
)
def test_readings_of_page_make_a_text(inner: str, text: str, tmp_path: Path) -> None:
    coords = '<Coords points="50,70 550,70 550,112 50,112"/>'
    (line,) = read_page(write(tmp_path, page_xml(f'<TextLine id="l">{coords}{inner}</TextLine>'))).lines
    assert line.text == text


@pytest.mark.parametrize(
    ("inner", "doubt"),
    [
        (equivalent("one", 0) + equivalent("guess", 1), None),
        (equivalent("", 0) + equivalent("guess", 1), "emptied"),
        (equivalent("", 0) + equivalent("", 1), None),
        ("", None),
        (f'<Word id="a">{equivalent("one")}</Word>', None),
        (f'<Word id="a">{equivalent("one")}</Word>{equivalent("")}', "of parts"),
        (f'<Word id="a">{equivalent("", 0)}{equivalent("guess", 1)}</Word>', "emptied"),
    ],
)
def test_a_text_may_be_doubtful(inner: str, doubt: str | None, tmp_path: Path) -> None:
    coords = '<Coords points="50,70 550,70 550,112 50,112"/>'
    (line,) = read_page(write(tmp_path, page_xml(f'<TextLine id="l">{coords}{inner}</TextLine>'))).lines
    assert line.doubt == doubt


@pytest.mark.parametrize(
    ("inner", "doubt"),
    [
        ('<String CONTENT="one"><ALTERNATIVE>two</ALTERNATIVE></String>', None),
        ('<String CONTENT=""><ALTERNATIVE>two</ALTERNATIVE></String>', "emptied"),
        ('<String CONTENT=" "><Glyph CONTENT="o"/></String>', "emptied"),
        ('<String CONTENT=""><ALTERNATIVE/></String>', None),
        ('<String CONTENT=""/>', None),
        ("", None),
    ],
)
def test_an_alternative_is_no_text(inner: str, doubt: str | None, tmp_path: Path) -> None:
    (line,) = read_page(write(tmp_path, alto(f'<TextLine ID="l" {BOX}>{inner}</TextLine>'))).lines
    assert line.text == ("one" if doubt is None and "one" in inner else "")
    assert line.doubt == doubt


def test_page_is_read_in_its_reading_order(tmp_path: Path) -> None:
    order = (
        '<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="1" regionRef="r1"/>'
        '<OrderedGroupIndexed index="0" id="h"><RegionRefIndexed index="0" regionRef="r3"/></OrderedGroupIndexed>'
        "</OrderedGroup></ReadingOrder>"
        f'<TextRegion id="r2"><Coords points="1,1 2,1 2,2"/>{page_line("c", 300, "unnamed region")}</TextRegion>'
        f'<TextRegion id="r3"><Coords points="1,1 2,1 2,2"/>{page_line("d", 300, "first")}</TextRegion>'
    )
    lines = page_line("b", 200, "two", custom="readingOrder {index:1;}") + page_line(
        "a", 100, "one", custom="structure {type:x;} readingOrder {index:0;}"
    )
    document = read_page(write(tmp_path, page_xml(lines, before=order)))
    assert [line.id for line in document.lines] == ["d", "a", "b", "c"]


def placed(name: str, left: int, top: int, attributes: str = "") -> str:
    """A line of 100 x 20."""
    points = f"{left},{top} {left + 100},{top} {left + 100},{top + 20} {left},{top + 20}"
    return f'<TextLine id="{name}" {attributes}><Coords points="{points}"/></TextLine>'


def order_of(content: str, folder: Path) -> str:
    """Names of the lines, as they are read."""
    return "".join(line.id for line in read_page(write(folder, content)).lines)


@pytest.mark.parametrize("direction", ["top-to-bottom", "bottom-to-top", "left-to-right", "right-to-left"])
@pytest.mark.parametrize("listed", ["abcd", "dcba", "dbca"])
def test_lines_follow_one_another_as_the_region_says(direction: str, listed: str, tmp_path: Path) -> None:
    across = direction in ("left-to-right", "right-to-left")
    lines = {name: placed(name, 150 * at * across, 30 * at * (not across)) for at, name in enumerate("abcd")}
    content = page_xml("".join(lines[name] for name in listed))
    content = content.replace("<TextRegion ", f'<TextRegion textLineOrder="{direction}" ')
    expected = "abcd" if direction in ("top-to-bottom", "left-to-right") else "dcba"
    assert order_of(content, tmp_path) == expected


@pytest.mark.parametrize(
    ("page", "outer", "inner", "expected"),
    [
        ("", "", "", "ab"),
        ("bottom-to-top", "", "", "ba"),
        ("bottom-to-top", "top-to-bottom", "", "ab"),
        ("", "bottom-to-top", "", "ba"),
        ("top-to-bottom", "top-to-bottom", "bottom-to-top", "ba"),
        ("", "", "sideways", "ab"),
    ],
)
def test_the_innermost_says_how_lines_follow(page: str, outer: str, inner: str, expected: str, tmp_path: Path) -> None:
    said = [f'textLineOrder="{direction}"' if direction else "" for direction in (page, outer, inner)]
    coords = '<Coords points="0,0 9,0 9,9"/>'
    lines = placed("a", 0, 0) + placed("b", 0, 30)
    region = (
        f'<TableRegion id="t" {said[1]}>{coords}<TextRegion id="r" {said[2]}>{coords}{lines}</TextRegion></TableRegion>'
    )
    content = page_xml("", before=region).replace("<Page ", f"<Page {said[0]} ")
    assert order_of(content, tmp_path) == expected


def test_what_is_beside_each_other_stays_as_it_is_listed(tmp_path: Path) -> None:
    parts = placed("a", 0, 3) + placed("b", 150, 0) + placed("c", 0, 33) + placed("d", 150, 30)
    columns = placed("a", 0, 0) + placed("b", 0, 30) + placed("c", 150, 0) + placed("d", 150, 30)
    tiers = placed("a", 300, 0) + placed("b", 150, 0) + placed("c", 300, 300) + placed("d", 150, 300)
    for lines, direction in ((parts, "top-to-bottom"), (columns, "top-to-bottom"), (tiers, "right-to-left")):
        said = f'<TextRegion textLineOrder="{direction}" '
        assert order_of(page_xml(lines).replace("<TextRegion ", said), tmp_path) == "abcd"


def test_lines_have_numbers(tmp_path: Path) -> None:
    numbered = placed("a", 0, 0, 'index="10"') + placed("b", 0, 30, 'index="9"') + placed("c", 0, 60, 'index="-1"')
    assert order_of(page_xml(numbered), tmp_path) == "cba"
    both = [f'index="{1 - at}" custom="readingOrder {{index:{at};}}"' for at in (0, 1)]
    assert order_of(page_xml(placed("a", 0, 0, both[0]) + placed("b", 0, 30, both[1])), tmp_path) == "ba"
    upwards = '<TextRegion textLineOrder="bottom-to-top" '
    for one, other, expected in ((0, 1, "ab"), (0, 0, "ba"), (0, "", "ba"), ("x", "y", "ba")):
        lines = placed("a", 0, 0, f'index="{one}"') + placed("b", 0, 30, f'index="{other}"')
        assert order_of(page_xml(lines).replace("<TextRegion ", upwards), tmp_path) == expected


def test_regions_go_where_that_is_read_which_they_lie_in(tmp_path: Path) -> None:
    coords = '<Coords points="0,0 9,0 9,9"/>'
    refs = "".join(f'<RegionRefIndexed index="{at}" regionRef="{name}"/>' for at, name in enumerate(("t", "r1")))
    cells = "".join(f'<TextRegion id="{name}">{coords}{placed(name, 0, 0)}</TextRegion>' for name in "ab")
    order = f'<ReadingOrder><OrderedGroup id="g">{refs}</OrderedGroup></ReadingOrder>'
    table = f'<TableRegion id="t">{coords}{cells}</TableRegion>'
    behind = f'<TextRegion id="u">{coords}{placed("z", 0, 0)}</TextRegion>'
    assert order_of(page_xml(placed("c", 0, 0), before=order + behind + table), tmp_path) == "abcz"
    regions = "".join(
        f'<TextRegion id="{name}" custom="readingOrder {{index:{at};}}">{coords}{placed(name, 0, 0)}</TextRegion>'
        for at, name in enumerate("ba")
    )
    assert order_of(page_xml("", before=regions).replace('<TextRegion id="r1">', "<TextRegion>"), tmp_path) == "ba"


def block(name: str, lines: str, attributes: str = "") -> str:
    return f'<TextBlock ID="{name}" {attributes}>{"".join(f"""<TextLine ID="{one}"/>""" for one in lines)}</TextBlock>'


def alto_page(blocks: str, order: str = "") -> str:
    return f"<alto>{order and f'<ReadingOrder>{order}</ReadingOrder>'}<Layout><Page>{blocks}</Page></Layout></alto>"


def group(inner: str, kind: str = "OrderedGroup", refs: str = "") -> str:
    """A group; of letters and numbers, with a reference to each."""
    members = inner if "<" in inner else "".join(f'<ElementRef REF="{one}"/>' for one in inner.split())
    return f'<{kind} REF="{refs}">{members}</{kind}>'


BLOCKS = block("B1", "ab") + block("B2", "cd") + block("B3", "ef")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", "abcdef"),
        (group("B3 B1 B2"), "efabcd"),
        (group("B2"), "cdabef"),  # what isn't named is behind
        (group("B3") + group("B1 B2 B3"), "efabcd"),  # another order, for the rest
        (group("B3 B3 B2"), "efcdab"),
        (group("B9 B3 nothing"), "efabcd"),
        (group("B9"), "abcdef"),
        (group(group("B3", "UnorderedGroup") + group("B2 B1"), "UnorderedGroup"), "efcdab"),
        (group("", refs="B3 B1"), "efabcd"),
        ("<OrderedGroup><ElementRef REF='B3 B1'/><ElementRef REF='B2'/></OrderedGroup>", "efabcd"),
        (group("f e a c d b"), "feacdb"),  # lines of blocks that are read side by side
        (group("d B1 c"), "dabcef"),
        (group("d B1"), "dcabef"),  # the other line of a block stays with it
        (group("f", refs="B3"), "feabcd"),
        (group("B9", refs="B9"), "abcdef"),
        ("<OrderedGroup/>", "abcdef"),
    ],
)
def test_alto_is_read_in_its_reading_order(order: str, expected: str, tmp_path: Path) -> None:
    assert order_of(alto_page(BLOCKS, order), tmp_path) == expected


def test_the_reading_order_of_alto_may_name_strings_and_outer_blocks(tmp_path: Path) -> None:
    line = '<TextLine ID="{0}"><String ID="s{0}"><Glyph ID="g{0}"/></String></TextLine>'
    words = line.format("a") + line.format("b")
    content = alto_page(f"<TextBlock ID='B'>{words}</TextBlock>", group("gb sa"))
    assert order_of(content, tmp_path) == "ba"
    composed = f"<ComposedBlock ID='C'>{block('B1', 'ab')}{block('B2', 'cd')}</ComposedBlock>{block('B3', 'e')}"
    assert order_of(alto_page(composed, group("B3 C")), tmp_path) == "eabcd"
    assert order_of(alto_page(composed, group("B2 B3 C")), tmp_path) == "cdeab"


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        ({"B3": "B1", "B1": "B2"}, "efabcd"),
        ({"B2": "B1"}, "cdabef"),
        ({"B2": "B9"}, "cdabef"),
        ({"B1": "B3", "B2": "B3"}, "abefcd"),  # the first that is listed has it
        ({"B1": "B3", "B3": "B2", "B2": "B1"}, "abefcd"),  # a circle begins where the document does
        ({"B1": "B1"}, "abcdef"),
        ({}, "abcdef"),
    ],
)
def test_blocks_of_alto_say_which_comes_next(following: dict[str, str], expected: str, tmp_path: Path) -> None:
    blocks = "".join(
        block(name, lines, f'IDNEXT="{following.get(name, "")}"')
        for name, lines in (("B1", "ab"), ("B2", "cd"), ("B3", "ef"))
    )
    assert order_of(alto_page(blocks), tmp_path) == expected
    assert order_of(alto_page(blocks, group("B2")), tmp_path) == "cdabef"  # says it better


def test_regions_have_numbers_among_their_neighbours(tmp_path: Path) -> None:
    coords = '<Coords points="0,0 9,0 9,9"/>'

    def region(name: str, number: int | None, inner: str = "", kind: str = "TextRegion") -> str:
        custom = "" if number is None else f' custom="readingOrder {{index:{number};}}"'
        lines = placed(name, 0, 0) if name else ""
        return f'<{kind} id="r{name}"{custom}>{coords}{inner}{lines}</{kind}>'

    table = region("", 1, region("b", None) + region("c", None), "TableRegion")
    numbered = region("d", 2) + table + region("a", 0)
    assert order_of(page_xml("", before=numbered), tmp_path) == "abcd"
    turned = region("", 1, region("b", 1) + region("c", 0), "TableRegion")
    assert order_of(page_xml("", before=region("d", 2) + turned + region("a", 0)), tmp_path) == "acbd"
    # The reading order goes before, and numbers order what it leaves out; one that names nothing there is none.
    for named, expected in (("rd", "dabc"), ("elsewhere", "abcd"), ("rc", "cabd")):
        said = f'<ReadingOrder><UnorderedGroup id="g"><RegionRef regionRef="{named}"/></UnorderedGroup></ReadingOrder>'
        assert order_of(page_xml("", before=said + numbered), tmp_path) == expected


def test_regions_may_be_nested_by_thousands(tmp_path: Path) -> None:
    nested = f"{'<TextRegion>' * 3000}{placed('b', 0, 0)}{'</TextRegion>' * 3000}"
    assert order_of(page_xml(placed("c", 0, 0), before=nested + placed("a", 0, 0)), tmp_path) == "bca"


def test_lines_have_different_names_without_colons(tmp_path: Path) -> None:
    lines = "".join(f"<TextLine {name} {BOX}/>" for name in ('ID="a:b/c"', "", 'ID="x"', 'ID="x"', 'ID=" "'))
    document = read_page(write(tmp_path, alto(lines)))
    assert [line.id for line in document.lines] == ["a_b_c", "line2", "x", "x~2", "line5"]


def test_thousands_of_lines_with_one_name_have_different_ones(tmp_path: Path) -> None:
    lines = f'<TextLine ID="x~3" {BOX}/>' + f'<TextLine ID="x" {BOX}/>' * 5000
    document = read_page(write(tmp_path, alto(lines)))
    assert [line.id for line in document.lines] == ["x~3", "x", "x~2", *(f"x~{number}" for number in range(4, 5002))]


def test_a_place_of_thousands_of_digits_is_none(tmp_path: Path) -> None:
    lines = page_line("b", 200, "two", custom=f"readingOrder {{index:{'1' * 5000};}}") + page_line(
        "a", 100, "one", custom="readingOrder {index:0;}"
    )
    assert [line.id for line in read_page(write(tmp_path, page_xml(lines))).lines] == ["b", "a"]


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        ("<alto><Layout>", "undecodable", "is not XML"),
        ("", "empty", "is empty"),
        ("<mets/>", "bad value", "neither ALTO nor PAGE: its outermost element is mets"),
        ("<alto/>", "bad value", "describes 0 pages"),
        ("<alto><Page/><Page/></alto>", "bad value", "describes 2 pages"),
        (alto(unit="furlong"), "bad value", "MeasurementUnit should be pixel, mm10, inch1200; received 'furlong'"),
        (alto(unit="mm10", page=""), "bad value", "measured in mm10, and its Page has no WIDTH and HEIGHT"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><alto>&b;</alto>', "unsafe", "document type"),
        ('<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><alto>&c;</alto>', "unsafe", "document type"),
    ],
)
def test_what_is_no_page_is_named(content: str, kind: str, what: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=what) as caught:
        read_page(path)
    assert caught.value.kind == kind
    assert str(path) in str(caught.value)


def geometry(content: str, folder: Path) -> list:
    return complete(read_page(write(folder, content)).lines)


def test_a_level_baseline_of_old_alto_is_as_wide_as_the_line(tmp_path: Path) -> None:
    ((baseline, _),) = geometry(alto(f'<TextLine ID="l" {BOX} BASELINE="100.5"/>'), tmp_path)
    assert baseline == ((50, 100.5), (550, 100.5))


def test_a_box_is_the_polygon_of_a_line_without(tmp_path: Path) -> None:
    ((baseline, polygon),) = geometry(alto(f'<TextLine ID="l" {BOX}/>'), tmp_path)
    assert polygon == ((50, 70), (550, 70), (550, 112), (50, 112))
    assert np.allclose(baseline, [(50, 101.5), (550, 101.5)])  # a quarter of 42 above 112
    words = '<String CONTENT="a" HPOS="50" VPOS="70" WIDTH="9" HEIGHT="42"/><String CONTENT="b" HPOS="541" VPOS="72" \
WIDTH="9" HEIGHT="9"/>'
    assert geometry(alto(f'<TextLine ID="l">{words}</TextLine>'), tmp_path) == [(baseline, polygon)]


def test_a_baseline_follows_the_lower_edge_of_its_polygon(tmp_path: Path) -> None:
    lines = '<TextLine id="l"><Coords points="0,100 400,200 400,240 0,140"/></TextLine>'
    ((baseline, _),) = geometry(page_xml(lines), tmp_path)
    assert np.allclose(baseline, [(0, 130), (400, 230)])


def test_a_polygon_goes_along_its_baseline_as_lines_are_apart(tmp_path: Path) -> None:
    lines = "".join(f'<TextLine ID="l{y}" BASELINE="50,{y} 550,{y}"/>' for y in (100, 140, 180, 300))
    found = geometry(alto(lines), tmp_path)
    assert next(polygon for _, polygon in found) == ((50, 70), (550, 70), (550, 114), (50, 114))


def test_a_lonely_baseline_has_a_polygon_too(tmp_path: Path) -> None:
    ((_, polygon),) = geometry(alto('<TextLine ID="l" BASELINE="50,100 550,100"/>'), tmp_path)
    assert len(polygon) == 4
    assert polygon[0][1] < 100 < polygon[2][1]


def test_a_polygon_of_two_points_is_none(tmp_path: Path) -> None:
    line = '<TextLine ID="l" BASELINE="50,100 550,100"{}><Shape><Polygon POINTS="1,1 2,2 1,1"/></Shape></TextLine>'
    ((_, with_box),) = geometry(alto(line.format(f" {BOX}")), tmp_path)
    assert with_box == ((50, 70), (550, 70), (550, 112), (50, 112))
    ((_, without),) = geometry(alto(line.format("")), tmp_path)
    assert len(without) == 4


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('<TextLine ID="l"/>', "has neither a polygon, nor a box, nor a baseline"),
        ('<TextLine ID="l" BASELINE="50,100"/>', "has neither a polygon, nor a box, nor a baseline"),
        ('<TextLine ID="l" HPOS="1" VPOS="2" WIDTH="0" HEIGHT="5"/>', "has neither"),
        (f'<TextLine ID="l" {BOX} BASELINE="50,100 550"/>', "are no points"),
        (f'<TextLine ID="l" {BOX} BASELINE="a b"/>', "are no points"),
        (f'<TextLine ID="l" {BOX} BASELINE="nan"/>', "are no points"),
        (f'<TextLine ID="l" {BOX} BASELINE="-inf"/>', "are no points"),
        (f'<TextLine ID="l" {BOX} BASELINE="1e12"/>', "are no points"),
        (f'<TextLine ID="l" {BOX} BASELINE="50,100 550,1000001"/>', "are no points"),
        ('<TextLine ID="l" HPOS="1" VPOS="2" WIDTH="1e9" HEIGHT="5"/>', "has neither"),
        ('<TextLine ID="l"><Shape><Polygon POINTS="1e308,0 -1e308,5 0,7"/></Shape></TextLine>', "are no points"),
        (f'<TextLine ID="l" {BOX}><Shape><Polygon POINTS="1,2 nan,3 4,5"/></Shape></TextLine>', "are no points"),
    ],
)
def test_lines_that_can_not_be_found_say_why(line: str, what: str, tmp_path: Path) -> None:
    good, bad = geometry(alto(alto_line("good", 100, "x") + line), tmp_path)
    assert not isinstance(good, str)
    assert isinstance(bad, str)
    assert what in bad
