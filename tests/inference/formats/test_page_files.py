"""Answers written into documents of pages: what is replaced, what stays, and in which order it stands."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, canonicalize, tostring

import numpy as np
import pytest
from PIL import Image

from seqpipe.answers.transcript import Transcript
from seqpipe.core.measure import seconds
from seqpipe.data.formats.safe_xml import local_name, parse_xml
from seqpipe.data.pages.alto import sign_alto
from seqpipe.data.pages.document import PageDocument
from seqpipe.data.pages.geometry import complete
from seqpipe.data.pages.page_xml import sign_page
from seqpipe.data.pages.read import read_page
from seqpipe.data.pages.xml_text import xml_text
from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.formats.choose import check_format, choose_format
from seqpipe.inference.formats.new_document import layout_of, new_alto, new_page
from seqpipe.inference.formats.output import write_output
from seqpipe.inference.formats.page_files import write_pages

EXAMPLES = Path(__file__).resolve().parents[2] / "data" / "pages" / "examples"
NAMES = ("alto2", "alto4", "page2013", "page2019")
KIND = {"alto2": "alto", "alto4": "alto", "page2013": "page", "page2019": "page"}
TEXTS = {"l1": "new words", "l2": "one < two & three", "l3": "third"}

ORDER = {
    "alto": ["Description", "Styles", "Tags", "Layout"],
    "Description": ["MeasurementUnit", "sourceImageInformation", "OCRProcessing", "Processing"],
    "Processing": [
        *("processingCategory", "processingDateTime", "processingAgency"),
        *("processingStepDescription", "processingStepSettings", "processingSoftware"),
    ],
    "processingSoftware": ["softwareCreator", "softwareName", "softwareVersion", "applicationDescription"],
    "PcGts": ["Metadata", "Page"],
    "Metadata": ["Creator", "Created", "LastChange", "Comments", "UserDefined", "MetadataItem"],
    "TextRegion": ["Coords", "UserDefined", "Labels", "Roles", "TextLine", "TextEquiv", "TextStyle"],
    "Word": ["Coords", "Glyph", "TextEquiv", "TextStyle"],
}
ORDER["ocrProcessingStep"] = ORDER["Processing"]
LINE = {
    "alto": ["Shape", "String", "HYP"],
    "page": ["AlternativeImage", "Coords", "Baseline", "Word", "TextEquiv", "TextStyle", "UserDefined", "Labels"],
}
"""Elements in the order in which ALTO 4.2 and PAGE 2019-07-15 want them."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With all examples and their image, and the working one."""
    for name in NAMES:
        (tmp_path / f"{name}.xml").write_bytes((EXAMPLES / f"{name}.xml").read_bytes())
    Image.fromarray(np.full((400, 600), 230, np.uint8)).save(tmp_path / "scan.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(row_id: str, text: str, *, confidence: float = 0.75) -> dict:
    tokens = [{"text": sign, "start": 0.0, "end": 1.0, "confidence": 0.5 if sign == "n" else 1.0} for sign in text]
    return {"id": row_id, "text": text, "confidence": confidence, "words": [], "tokens": tokens}


def failure(row_id: str) -> dict:
    return {"id": row_id, "error": "bad value", "message": "why"}


def write_store(*records: dict) -> Path:
    store = Path("out.partial")
    store.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return store


def written(name: str, kind: str, texts: dict[str, str] | None = None) -> PageDocument:
    """What becomes of a page whose lines were answered so."""
    answers = [record(f"{name}.xml:{line}", text) for line, text in (TEXTS if texts is None else texts).items()]
    write_pages(write_store(*answers), kind, Path(f"out-{name}-{kind}"))
    return read_page(Path(f"out-{name}-{kind}") / f"{name}.xml")


def check_order(root: Element) -> None:
    for element in root.iter():
        name = local_name(element)
        order = ORDER.get(name) or (
            LINE["alto" if local_name(root) == "alto" else "page"] if name == "TextLine" else None
        )
        if order is not None:
            places = [order.index(local_name(inner)) for inner in element if local_name(inner) != "SP"]
            assert places == sorted(places), name


@pytest.mark.parametrize("name", NAMES)
def test_examples_say_the_same(name: str) -> None:
    document = read_page(EXAMPLES / f"{name}.xml")
    assert [line.id for line in document.lines] == ["l1", "l2", "l3"]
    assert [line.text for line in document.lines] == ["the old-", "second line & more", ""]
    check_order(document.root)


@pytest.mark.parametrize("kind", ["alto", "page"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read(name: str, kind: str, folder: Path) -> None:
    document = written(name, kind)
    assert document.kind == kind
    assert {line.id: line.text for line in document.lines} == TEXTS
    assert [line.id for line in document.lines] == list(TEXTS)
    check_order(document.root)
    ids = [element.get("ID") or element.get("id") for element in document.root.iter()]
    assert len([one for one in ids if one]) == len({one for one in ids if one})


@pytest.mark.parametrize("kind", ["alto", "page"])
@pytest.mark.parametrize("name", ["alto4", "page2019"])
def test_geometry_stays(name: str, kind: str, folder: Path) -> None:
    before, after = read_page(Path(f"{name}.xml")), written(name, kind)
    assert complete(after.lines) == complete(before.lines)
    assert [(region.id, region.polygon) for region in after.regions] == [
        (region.id, region.polygon) for region in before.regions
    ]
    assert (after.size, after.image) == (before.size, before.image)


def test_tenths_of_millimetres_become_pixels_in_a_new_document(folder: Path) -> None:
    places = complete(written("alto2", "page").lines)
    assert places[0] == (((50, 100), (550, 100)), ((50, 70), (550, 70), (550, 112), (50, 112)))
    again = written("alto2", "alto")  # whose own unit stays
    assert again.size == (1200, 800)
    assert not again.in_pixels


@pytest.mark.parametrize("name", NAMES)
def test_from_one_format_to_the_other_and_back(name: str, folder: Path) -> None:
    other = "page" if KIND[name] == "alto" else "alto"
    there = written(name, other)
    Path("back.xml").write_bytes(Path(f"out-{name}-{other}/{name}.xml").read_bytes())
    back = written("back", KIND[name])
    assert [(line.id, line.text) for line in back.lines] == [(line.id, line.text) for line in there.lines]
    assert complete(back.lines) == complete(there.lines)


def test_as_many_words_as_before_keep_their_places(folder: Path) -> None:
    line = written("alto4", "alto").lines[0].element
    words = [one for one in line if local_name(one) == "String"]
    assert [one.attrib for one in words] == [
        {"ID": "s1", "CONTENT": "new", "HPOS": "50", "VPOS": "70", "WIDTH": "90", "HEIGHT": "42", "WC": "0.5000"},
        {"ID": "s2", "CONTENT": "words", "HPOS": "150", "VPOS": "70", "WIDTH": "90", "HEIGHT": "42", "WC": "1.0000"},
    ]
    assert "CS" not in line.attrib  # nobody has corrected this text
    assert not [one for one in line.iter() if local_name(one) in ("HYP", "ALTERNATIVE")]
    line = written("page2013", "page").lines[0].element
    words = [one for one in line if local_name(one) == "Word"]
    assert [one.get("id") for one in words] == ["w1", "w2"]
    assert ["".join(one.itertext()).strip() for one in words] == ["new", "words"]
    assert [equivalent.attrib for one in words for equivalent in one if local_name(equivalent) == "TextEquiv"] == [
        {"conf": "0.5000"},
        {"conf": "1.0000"},
    ]


def test_other_words_than_before_have_no_places(folder: Path) -> None:
    texts = {"l1": "now there are more words"}
    line = written("alto4", "alto", texts).lines[0].element
    (string,) = [one for one in line if local_name(one) != "Shape"]
    assert string.attrib == {
        **{"ID": "s1", "CONTENT": texts["l1"], "WC": "0.7500"},
        **{"HPOS": "50", "VPOS": "70", "WIDTH": "500", "HEIGHT": "42"},
    }
    line = written("page2019", "page", texts).lines[0].element
    assert [local_name(one) for one in line] == ["Coords", "Baseline", "TextEquiv", "TextStyle"]
    assert line[2].attrib == {"conf": "0.7500"}


def test_the_text_of_a_region_is_that_of_its_lines(folder: Path) -> None:
    region = written("page2019", "page").regions[0].element
    assert local_name(region[-1]) == "TextEquiv"
    assert "".join(region[-1].itertext()).strip() == "new words\none < two & three"


@pytest.mark.parametrize("kind", ["alto", "page"])
@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_failed_keeps_its_text_and_is_named(name: str, kind: str, folder: Path) -> None:
    store = write_store(record(f"{name}.xml:l2", "x"), failure(f"{name}.xml:l1"), failure("gone.xml"))
    write_pages(store, kind, Path("out"))
    document = read_page(Path("out") / f"{name}.xml")
    assert {line.id: line.text for line in document.lines} == {"l1": "the old-", "l2": "x", "l3": ""}
    check_order(document.root)
    if document.kind == KIND[name]:
        (before, after) = (one.lines[0].element for one in (read_page(Path(f"{name}.xml")), document))
        assert canonicalize(tostring(after), strip_text=True) == canonicalize(tostring(before), strip_text=True)
    failures = [json.loads(line) for line in Path("out/failures.jsonl").read_text().splitlines()]
    assert [one["id"] for one in failures] == [f"{name}.xml:l1", "gone.xml"]


@pytest.mark.parametrize("name", NAMES)
def test_the_program_signs_once_however_often_it_writes(name: str, folder: Path) -> None:
    first = written(name, KIND[name]).root
    (folder / f"{name}.xml").write_bytes(xml_text(first))
    (folder / f"out-{name}-{KIND[name]}" / f"{name}.xml").unlink()
    again = written(name, KIND[name]).root
    assert xml_text(again) == xml_text(first)
    sign = {"alto": sign_alto, "page": partial(sign_page, time="")}[KIND[name]]
    sign(again, "seqpipe", "0")  # another version did something else
    assert len(xml_text(again)) > len(xml_text(first))
    text = xml_text(first).decode()
    assert "seqpipe" in text
    for old in {"alto2": ["an OCR"], "alto4": ["a layout analysis"], "page2013": ["an editor", "made by hand"]}.get(
        name, []
    ):
        assert old in text
    if name == "page2019":
        (item,) = [one for one in first.iter() if local_name(one) == "MetadataItem"]
        assert re.fullmatch(r"seqpipe \d.*", item.attrib["value"])


def test_prefixes_and_what_else_stands_in_a_document_stay(folder: Path) -> None:
    root = written("alto4", "alto").root
    assert [one.attrib for one in root.iter() if local_name(one) == "OtherTag"] == [{"ID": "t1", "LABEL": "MainZone"}]
    assert 'xsi:schemaLocation="http://www.loc.gov/' in xml_text(root).decode()
    old = xml_text(written("alto2", "alto").root).decode()
    assert 'xlink:type="simple"' in old
    assert "ns0" not in old


def test_writing_again_gives_the_same_bytes(folder: Path) -> None:
    for output in ("one", "two"):
        store = write_store(*(record(f"{name}.xml:{line}", text) for name in NAMES for line, text in TEXTS.items()))
        os.utime(store, (1e9, 1e9) if output == "two" else None)
        write_output(store, "alto", Path(output), Transcript)
    assert sorted(path.name for path in Path("one").iterdir()) == [f"{name}.xml" for name in NAMES]
    for name in NAMES:
        assert Path(f"one/{name}.xml").read_bytes() == Path(f"two/{name}.xml").read_bytes()


def test_a_page_that_is_given_twice_is_written_twice(folder: Path) -> None:
    ids = [f"alto4.xml:{line}" for line in TEXTS]
    write_pages(write_store(*(record(one, text) for text in ("first", "second") for one in ids)), "alto", Path("out"))
    assert read_page(Path("out/alto4.xml")).lines[0].text == "first"
    assert read_page(Path("out/alto4.xml.xml")).lines[0].text == "second"


def test_a_page_that_is_gone_is_named_and_nothing_written(folder: Path) -> None:
    store = write_store(record("gone.xml:l1", "x"))
    with pytest.raises(DataError, match=r"gone\.xml: no such file; it was there when its lines were answered"):
        write_pages(store, "alto", Path("out"))
    assert not Path("out").exists()
    with pytest.raises(DataError, match=r"scan\.png is no line of a page"):
        write_pages(write_store(record("scan.png", "x")), "alto", Path("out"))


def test_characters_that_xml_can_not_hold(folder: Path) -> None:
    text = 'a\x01b "quoted" <tag> \ud800 \U0001f600 ]]>'
    for kind in ("alto", "page"):
        assert written("alto4", kind, {"l2": text}).lines[1].text == 'a\ufffdb "quoted" <tag> \\ud800 \U0001f600 ]]>'


def test_ids_that_xml_can_not_hold_become_such(folder: Path) -> None:
    lines = "".join(
        f'<TextLine ID="{name}" HPOS="1" VPOS="2" WIDTH="30" HEIGHT="9"/>' for name in ("1 a", "page", "b:c")
    )
    Path("odd.xml").write_text(f'<alto><Layout><Page><TextBlock ID="7">{lines}</TextBlock></Page></Layout></alto>')
    document = written("odd", "page", {"1_a": "x", "page": "y", "b_c": "z"})
    assert [line.text for line in document.lines] == ["x", "y", "z"]
    assert [line.id for line in document.lines] == ["line_1_a", "page_2", "b_c"]
    assert document.regions[0].id == "region_7"


@pytest.mark.parametrize(("make", "order"), [(new_alto, "alto"), (new_page, "PcGts")])
def test_new_documents_stand_in_order(make, order: str, folder: Path) -> None:  # type: ignore[no-untyped-def]
    for name in NAMES:
        root = make(layout_of(read_page(Path(f"{name}.xml"))))
        assert local_name(root) == order
        check_order(root)


def test_xml_comes_back_as_it_was_written(folder: Path) -> None:
    for name in NAMES:
        root = parse_xml(Path(f"{name}.xml"))
        again = parse_xml(xml_text(root))
        assert [(one.tag, one.attrib, one.text, one.tail) for one in again.iter()] == [
            (one.tag, one.attrib, one.text, one.tail) for one in root.iter()
        ]
    deep = Element("alto")
    inner = deep
    for _ in range(20_000):
        inner.append(Element("b"))
        inner = inner[0]
    assert xml_text(deep).count(b"<b") == 20_000
    mixed = Element("{a}r", {"{b}k": "1", "{a}l": 'x"\n'})
    mixed.append(Element("plain"))
    assert [(one.tag, one.attrib) for one in parse_xml(xml_text(mixed)).iter()] == [
        ("{a}r", {"{b}k": "1", "{a}l": 'x"\n'}),
        ("plain", {}),
    ]


def test_formats_of_pages_are_folders(folder: Path) -> None:
    assert choose_format("new/", "alto") == "alto"
    assert choose_format("new", "page") == "page"
    with pytest.raises(ConfigError, match=r"out\.xml: alto is one file per page, in a folder"):
        choose_format("out.xml", "alto")
    with pytest.raises(ConfigError, match="says no format"):
        choose_format("out.xml", None)
    check_format("alto", Transcript, seconds(16_000))

    class Other:
        pass

    with pytest.raises(ConfigError, match="--format page: needs transcriptions"):
        check_format("page", Other, seconds(16_000))
