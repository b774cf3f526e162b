"""Lines of pages as rows of a source."""

from __future__ import annotations

import os
import pickle
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from seqpipe.core.warning import collecting_warnings
from seqpipe.data.fingerprint import fingerprint
from seqpipe.data.formats.safe_xml import LARGEST
from seqpipe.data.pages.line import PageLine
from seqpipe.data.pages.rows import count_lines, page_files, page_of, page_rows
from seqpipe.data.rows import Row
from seqpipe.data.source import is_there, read_rows
from seqpipe.errors import DataError, InputError
from seqpipe.features.image.page_line import crop, crop_size

EXAMPLES = Path(__file__).resolve().parent / "examples"


def write_scan(path: Path, *, width: int = 600, height: int = 400) -> None:
    """A page with three dark lines of marks, where the examples have theirs."""
    pixels = np.full((height, width), 230, np.uint8)
    for y in (100, 200, 300):
        rows = slice(round((y - 20) * height / 400), round(y * height / 400))
        pixels[rows, round(60 * width / 600) : round(540 * width / 600) : 9] = 30
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set: examples below ``pages``, with their image."""
    (tmp_path / "pages").mkdir()
    for name in ("alto4", "page2019"):
        (tmp_path / "pages" / f"{name}.xml").write_bytes((EXAMPLES / f"{name}.xml").read_bytes())
    write_scan(tmp_path / "pages" / "scan.png")
    return tmp_path


def rows_of(source: str, folder: Path, *, needs_target: bool = True, **config: str) -> list[Row]:
    given = DataConfig.model_validate(config)
    return list(read_rows(source, given, suffixes=IMAGE_SUFFIXES, needs_target=needs_target, root=folder))


def test_a_row_a_line_with_its_transcription(folder: Path) -> None:
    rows = rows_of("pages/alto4.xml", folder)
    assert [row.id for row in rows] == ["pages/alto4.xml:l1", "pages/alto4.xml:l2"]
    assert [row.target for row in rows] == ["the old-", "second line & more"]
    assert [row.problem for row in rows] == [None, None]
    line = rows[0].input
    assert isinstance(line, PageLine)
    assert (line.id, line.image, line.page) == ("l1", folder / "pages/scan.png", folder / "pages/alto4.xml")
    assert rows[0].columns["region"] == "b1"
    assert rows[0].columns["page"] == "pages/alto4.xml"
    assert rows[1].where.endswith("alto4.xml, row 2 (pages/alto4.xml:l2)")


def test_patterns_and_folders_give_all_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "pages" / "METS.xml").write_text("<mets/>")
    by_pattern = rows_of("pages/*.xml", folder)
    assert len(by_pattern) == 4
    assert [row.id for row in by_pattern] == [row.id for row in rows_of("pages", folder, format="pages")]
    assert is_there("pages/*.xml", DataConfig(root=str(folder)))
    for pattern in (str(folder / "pages/*.xml"), "~/pages/*.xml"):
        assert is_there(pattern, DataConfig(root="elsewhere"))
        assert len(rows_of(pattern, Path("elsewhere"))) == 4
    assert not is_there("pages/*.XML.xml", DataConfig(root=str(folder)))


def test_a_root_may_have_brackets_in_its_name(folder: Path) -> None:
    root = folder / "set[1]"
    root.mkdir()
    (folder / "pages").rename(root / "pages")
    assert is_there("pages/*.xml", DataConfig(root=str(root)))
    assert [row.id for row in rows_of("pages/alto*.xml", root)] == ["pages/alto4.xml:l1", "pages/alto4.xml:l2"]


def test_a_manifest_may_stand_beside_pages(folder: Path) -> None:
    (folder / "more.tsv").write_text("path\ttext\npages/scan.png\tx\n")
    assert [row.target for row in rows_of("more.tsv", folder, format="pages")] == ["x"]


def test_lines_without_text_are_no_examples_but_can_be_answered(folder: Path) -> None:
    assert len(rows_of("pages/alto4.xml", folder)) == 2
    assert [row.id for row in rows_of("pages/alto4.xml", folder, needs_target=False)][-1] == "pages/alto4.xml:l3"


def test_lines_that_are_no_examples_are_counted(folder: Path) -> None:
    readings = '<TextEquiv index="{}"><Unicode>{}</Unicode></TextEquiv>'
    page = folder / "pages/page2019.xml"
    was = page.read_text()
    page.write_text(was.replace('<TextEquiv index="0" conf="0.5"><Unicode>the old-</Unicode>', readings.format(0, "")))
    page.write_text(page.read_text().replace("</TextEquiv></TextEquiv>", "</TextEquiv>"))
    with collecting_warnings() as heard:
        rows = rows_of("pages/*.xml", folder)
    assert [row.target for row in rows] == ["the old-", "second line & more", "second line & more"]
    missing, emptied = heard
    assert missing[0] == "no transcription"
    assert missing[1].startswith("2 lines without text, so no examples; the first: ")
    assert missing[1].endswith("alto4.xml, line l3")
    assert emptied[0] == "emptied transcription"
    assert emptied[1].startswith("1 line whose text is empty while another reading of it")
    assert emptied[1].endswith("page2019.xml, line l1")
    with collecting_warnings() as heard:
        assert len(rows_of("pages/*.xml", folder, needs_target=False)) == 6
    assert heard == []  # they are asked for, and answered


def test_columns_are_called_as_the_recipe_wants(folder: Path) -> None:
    (row, _) = rows_of("pages/alto4.xml", folder, input="line image", target="transcription", id="path")
    assert row.columns["transcription"] == row.target == "the old-"
    assert row.columns["line image"] is row.input
    assert row.id == "pages/alto4.xml:l1"


def test_texts_are_composed(folder: Path) -> None:
    path = folder / "pages/alto4.xml"
    path.write_text(path.read_text().replace("second", unicodedata.normalize("NFD", "é")))
    assert rows_of("pages/alto4.xml", folder)[1].target.startswith("\u00e9 ")


def test_a_line_travels_to_processes_and_is_cut_there(folder: Path) -> None:
    line = pickle.loads(pickle.dumps(rows_of("pages/alto4.xml", folder)[1].input))
    pixels = crop(line)
    assert pixels.dtype == np.uint8
    assert pixels.shape[::-1] == crop_size(line)
    assert 495 <= pixels.shape[1] <= 502
    assert 40 <= pixels.shape[0] <= 44
    assert pixels.min() == 30
    assert str(line).endswith("alto4.xml, line l2")


def test_points_scale_with_the_image(folder: Path) -> None:
    write_scan(folder / "pages/scan.png", width=300, height=200)
    width, height = crop_size(rows_of("pages/alto4.xml", folder)[1].input)
    assert 247 <= width <= 252
    assert 19 <= height <= 23


def test_an_image_of_another_shape_is_another_image(folder: Path) -> None:
    write_scan(folder / "pages/scan.png", width=400, height=600)
    line = rows_of("pages/alto4.xml", folder)[0].input
    for use in (crop, crop_size):
        with pytest.raises(
            InputError, match=r"alto4\.xml, line l1: .*scan\.png: has 400 x 600 pixels, and the document"
        ):
            use(line)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("scan.png", "pages/scan.png"),
        ("images/scan.png", "pages/images/scan.png"),
        ("C:\\scans\\scan.png", "pages/scan.png"),
        ("/home/somebody/scan.png", "pages/scan.png"),
        ("file:///home/somebody/scan.png", "pages/scan.png"),
        ("../other/scan.png", "scan.png"),
        ("gone.png", "pages/alto4.TIF"),
        ("", "pages/alto4.jpg"),
        ("scan.exe", "pages/alto4.png"),
    ],
)
def test_the_image_is_found(named: str, found: str, folder: Path) -> None:
    (folder / "pages/scan.png").unlink()
    write_scan(folder / "other/scan.png")
    write_scan(folder / found)
    path = folder / "pages/alto4.xml"
    path.write_text(path.read_text().replace("scan.png", named))
    row = rows_of("pages/alto4.xml", folder)[0]
    assert row.problem is None
    assert row.input.image.samefile(folder / found)


def test_a_missing_image_is_named_for_each_line(folder: Path) -> None:
    (folder / "pages/scan.png").unlink()
    rows = rows_of("pages/alto4.xml", folder)
    assert [row.problem.kind for row in rows if row.problem] == ["missing", "missing"]
    assert "alto4.xml, line l1: the page's image is not there: the document names 'scan.png'" in str(rows[0].problem)
    page = folder / "pages/alto4.xml"
    page.write_text(page.read_text().replace("scan.png", ""))
    problem = rows_of("pages/alto4.xml", folder)[0].problem
    assert str(problem).endswith("the document names none, and none lies beside it as alto4.jpg, .png or .tif")


def test_a_name_that_no_image_can_have_is_a_missing_one(folder: Path) -> None:
    path = folder / "pages/alto4.xml"
    path.write_text(path.read_text().replace("scan.png", f"{'x' * 300}.png"))
    rows = rows_of("pages/alto4.xml", folder)
    assert [row.problem.kind for row in rows if row.problem] == ["missing", "missing"]


def test_what_is_wrong_with_one_line_harms_no_other(folder: Path) -> None:
    path = folder / "pages/alto4.xml"
    path.write_text(path.read_text().replace('BASELINE="50,200 550,200"', 'BASELINE="50,200 550"'))
    good, bad = rows_of("pages/alto4.xml", folder)
    assert good.problem is None
    assert bad.problem is not None
    assert "alto4.xml, line l2: its Shape or BASELINE are no points" in str(bad.problem)


def test_a_document_that_can_not_be_read_is_one_row(folder: Path) -> None:
    (folder / "pages/broken.xml").write_text("<alto><Page>")
    rows = rows_of("pages/*.xml", folder)
    (bad,) = [row for row in rows if row.problem]
    assert bad.id == "pages/broken.xml"
    assert len(rows) == 5


def test_a_page_without_lines(folder: Path) -> None:
    (folder / "pages/blank.xml").write_text('<alto><Layout><Page ID="p"/></Layout></alto>')
    assert rows_of("pages/blank.xml", folder) == []
    (row,) = rows_of("pages/blank.xml", folder, needs_target=False)
    assert row.problem is not None
    assert row.problem.kind == "empty"
    assert str(row.problem).endswith("blank.xml: describes a page without lines")


def test_sources_that_are_none(folder: Path) -> None:
    for source, what in (("gone.xml", "no such file"), ("gone/*.xml", "no document of a page")):
        with pytest.raises(DataError, match=what):
            rows_of(source, folder)
    (folder / "none").mkdir()
    with pytest.raises(DataError, match="no document of a page"):
        rows_of("none", folder, format="pages")
    with pytest.raises(DataError, match="reads no images"):
        list(read_rows("pages/alto4.xml", DataConfig(), suffixes=AUDIO_SUFFIXES, root=folder))


def test_lines_are_counted_without_parsing() -> None:
    for path in sorted(EXAMPLES.iterdir()):
        assert count_lines(path) == len(list(page_rows([path], needs_target=False))) == 3


def test_a_document_that_is_too_large_counts_as_the_row_it_is(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        file.write(b"<alto><Layout><Page><TextLine/><TextLine/>")
        file.truncate(LARGEST + 1)  # the rest takes no room on the disk
    assert count_lines(path) == len(list(page_rows([path], needs_target=False))) == 1


def test_ids_lead_back_to_pages() -> None:
    assert page_of("a/b.xml:l1") == ("a/b.xml", "l1")
    assert page_of("odd:name.XML:l1") == ("odd:name.XML", "l1")
    assert page_of("a/b.xml") is None
    assert page_of("list.tsv:4") is None
    assert page_of("a.xml:b/c.xml") is None


def test_the_fingerprint_sees_a_line_that_moved(folder: Path) -> None:
    before = fingerprint(rows_of("pages/alto4.xml", folder))
    assert fingerprint(rows_of("pages/alto4.xml", folder)) == before
    path = folder / "pages/alto4.xml"
    path.write_text(path.read_text().replace("50,200 550,200", "50,201 550,200"))
    assert fingerprint(rows_of("pages/alto4.xml", folder)) != before


def test_the_lines_of_real_pages_are_those_of_the_data_set() -> None:
    data = Path(os.environ.get("SEQPIPE_DATA", "")) / "peraire"
    if "SEQPIPE_DATA" not in os.environ or not (data / "pages").is_dir():
        pytest.skip("SEQPIPE_DATA names no folder with peraire/pages: no real pages to read")
    rows = list(page_rows(page_files("pages", data), root=data, needs_target=True))
    listed = [line.split("\t") for line in (data / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    pages = {Path(row.columns["page"]).stem for row in rows}
    wanted = [fields for fields in listed if fields[1] in pages]
    assert [row.target for row in rows] == [fields[3] for fields in wanted]
    for row, fields in list(zip(rows, wanted, strict=True))[::9]:
        published = Image.open(data / fields[0])
        cut = Image.fromarray(crop(row.input))
        assert abs(cut.width * 64 / cut.height / published.width - 1) < 0.05
        assert best_correlation(np.asarray(cut.resize(published.size)), np.asarray(published)) > 0.7


def best_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Over shifts of a few pixels: strokes are three wide."""
    return max(
        float(np.corrcoef(np.roll(one, (down, right), (0, 1)).ravel(), other.ravel())[0, 1])
        for down in (-1, 0, 1)
        for right in (-2, -1, 0, 1, 2)
    )
