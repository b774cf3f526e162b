"""tools/prepare_peraire.py, on made-up and on real pages in the layout of the repository."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "prepare_peraire.py"
HEADER = "path\tpage\twidth\ttext"
Run = Callable[..., subprocess.CompletedProcess[str]]


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def write_page(folder: Path, name: str, texts: list[str]) -> None:
    """A page of 300 x 60 pixels a line, each with dark marks, one more for each line."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.full((60 * len(texts), 300), 200, np.uint8)
    lines = ""
    for number, text in enumerate(texts):
        y = 60 * number + 45
        pixels[y - 20 : y, 20 : 30 + 10 * number] = 60
        lines += (
            f'<TextLine ID="l{number}" BASELINE="10 {y} 290 {y}" HPOS="10" VPOS="{y - 30}" WIDTH="280" HEIGHT="40">'
            f'<String CONTENT="{text}"/></TextLine>'
        )
    Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / f"{name}.xml").write_text(
        '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Description><MeasurementUnit>pixel</MeasurementUnit>'
        f"<sourceImageInformation><fileName>{name}.png</fileName></sourceImageInformation></Description><Layout>"
        f'<Page ID="p" WIDTH="300" HEIGHT="{len(pixels)}"><PrintSpace><TextBlock ID="b">{lines}</TextBlock>'
        "</PrintSpace></Page></Layout></alto>",
        encoding="utf-8",
    )


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """Twelve training pages and one test page."""
    for number in range(12):
        write_page(tmp_path / "download/data/train", f"B.{number:02d}", [f"page {number}", "", "e\u0301te"])
    write_page(tmp_path / "download/data/test", "D.1", ["held out"])
    return tmp_path / "download"


def read(path: Path) -> list[list[str]]:
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    assert header == HEADER
    return [row.split("\t") for row in rows]


def test_splits_lines_and_tables(prepare: Run, download: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    result = prepare(download, output)
    assert result.returncode == 0, result.stderr
    assert "train: 20 lines of 10 pages" in result.stderr
    assert "note: the splits that figures were published for" in result.stderr
    splits = {split: read(output / f"{split}.tsv") for split in ("train", "dev", "test")}
    assert {fields[1] for fields in splits["dev"]} == {"B.00", "B.10"}
    assert [fields[0] for fields in splits["dev"][:2]] == ["dev/B.00_000.png", "dev/B.00_001.png"]
    assert [fields[3] for fields in splits["dev"][:2]] == ["page 0", "\u00e9te"]  # the empty line is left out
    assert splits["test"] == [["test/D.1_000.png", "D.1", splits["test"][0][2], "held out"]]
    for fields in (fields for rows in splits.values() for fields in rows):
        image = Image.open(output / fields[0])
        assert image.mode == "L"
        assert image.size == (int(fields[2]), 64)
        levels = np.unique(np.asarray(image))
        assert set(levels) <= set(range(0, 256, 17))
        assert levels[0] == 0
        assert np.median(np.asarray(image)) == 255


@pytest.mark.slow
def test_what_is_wrong_is_counted_and_leaves_nothing(prepare: Run, download: Path, tmp_path: Path) -> None:
    (download / "data/train/B.03.png").unlink()
    result = prepare(download, tmp_path / "out")
    assert result.returncode == 1
    assert "2 line(s) can't be used" in result.stderr
    assert "B.03.xml, line l0: the page's image is not there" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
    result = prepare(tmp_path / "gone", tmp_path / "out")
    assert result.returncode == 1
    assert "holds no page" in result.stderr


@pytest.mark.slow
def test_help_and_wrong_usage() -> None:
    result = in_a_process("-h")
    assert result.returncode == 0
    for expected in ("https://github.com/alix-tz/peraire-ground-truth", "Attribution 4.0", "Bibliotheque Sebert"):
        assert expected in result.stdout
    assert in_a_process().returncode == 2


def test_the_rules_give_the_real_lines(prepare: Run, tmp_path: Path) -> None:
    data = Path(os.environ.get("SEQPIPE_DATA", "")) / "peraire"
    if "SEQPIPE_DATA" not in os.environ or not (data / "pages").is_dir():
        pytest.skip("SEQPIPE_DATA names no folder with peraire/pages: no real pages to compare with")
    (tmp_path / "download/data").mkdir(parents=True)
    (tmp_path / "download/data/train").symlink_to(data / "pages", target_is_directory=True)
    write_page(tmp_path / "download/data/test", "D.1", ["held out"])
    result = prepare(tmp_path / "download", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    published = {fields[0].removeprefix("dev/"): fields for fields in read(data / "dev.tsv")}
    rows = read(tmp_path / "out/dev.tsv") + read(tmp_path / "out/train.tsv")
    assert len(rows) == 54
    differences = []
    for path, page, width, text in rows:
        name = path.partition("/")[2]
        assert [page, text] == [published[name][1], published[name][3]]
        assert abs(int(width) / int(published[name][2]) - 1) < 0.1
        mine = Image.open(tmp_path / "out" / path)
        other = Image.open(data / "dev" / name)
        differences.append(np.abs(np.asarray(mine.resize(other.size)).astype(int) - np.asarray(other)).mean())
    assert np.median(differences) < 12  # of 255, with the strokes a pixel or two apart
