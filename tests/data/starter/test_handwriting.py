"""Lines that are composed of scikit-learn's handwritten digits."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqpipe import ConfigError
from seqpipe.config.recipe import DataConfig
from seqpipe.data.source import data_root
from seqpipe.data.starter.handwriting import HEIGHT, ORIGINALS, Line, Originals, compose_line, starter_handwriting

SMALL = {"train": 5, "dev": 4, "test": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter_handwriting(tmp_path_factory.mktemp("cache"), sizes=SMALL)


@pytest.fixture(scope="module")
def originals() -> Originals:
    return Originals()


@pytest.fixture(scope="module")
def lines(originals: Originals) -> dict[str, list[Line]]:
    return {part: [compose_line(part, index, originals) for index in range(40)] for part in ORIGINALS}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_digit_is_in_two_parts_nor_a_copy_of_it(lines: dict[str, list[Line]]) -> None:
    from sklearn.datasets import load_digits

    numbers = [number for part in ORIGINALS.values() for number in part]
    images = load_digits().images
    assert sorted(numbers) == list(range(len(images)))
    seen: dict[bytes, str] = {}
    for part, own in ORIGINALS.items():
        assert {number for line in lines[part] for number in line.originals} <= set(own)
        for number in own:
            assert seen.setdefault(images[number].tobytes(), part) == part


def test_parts_begin_where_the_labels_begin_anew(originals: Originals) -> None:
    for own in ORIGINALS.values():
        assert originals.labels[own.start : own.start + 20] == [*range(10)] * 2


def test_a_text_is_the_labels_of_its_digits_in_groups(lines: dict[str, list[Line]], originals: Originals) -> None:
    for own in lines.values():
        for line in own:
            assert re.fullmatch(r"\d{1,4}( \d{1,4})*", line.text)
            assert line.text.replace(" ", "") == "".join(str(originals.labels[number]) for number in line.originals)
            assert 3 <= len(line.originals) <= 10
        assert set("".join(line.text for line in own)) == set("0123456789 ")


def test_a_digit_made_larger_is_the_same_digit(originals: Originals) -> None:
    from sklearn.datasets import load_digits

    for number, image in enumerate(load_digits().images[:50]):
        drawn = originals.drawn(number, 32, 32, 0, 0)  # 42 by 42 pixels, 5 of them around the digit on each side
        small = drawn[5:37, 5:37].reshape(8, 4, 8, 4).mean(axis=(1, 3))
        assert np.corrcoef(small.ravel(), image.ravel())[0, 1] > 0.97


def test_groups_are_as_far_apart_as_one_sees(lines: dict[str, list[Line]]) -> None:
    """There are at least as many wide gaps without ink as blanks: what the text says can be read off the picture."""
    for own in lines.values():
        for line in own:
            paper = np.median(line.pixels)
            darkest = float(line.pixels.min())
            ink = (line.pixels < (paper + darkest) / 2).sum(axis=0) > 0
            gaps = re.findall(r"(?<=#) +(?=#)", "".join("#" if column else " " for column in ink))
            assert sum(len(gap) >= 8 for gap in gaps) >= line.text.count(" "), line.text


def test_lines_are_grey_ink_on_light_paper(lines: dict[str, list[Line]]) -> None:
    for own in lines.values():
        for line in own:
            assert line.pixels.dtype == np.uint8
            assert len(line.pixels) == HEIGHT
            assert np.median(line.pixels) > 180
            assert 0.03 < (line.pixels < 150).mean() < 0.4
    widths = [line.pixels.shape[1] for line in lines["train"]]
    assert max(widths) > 2 * min(widths)


def test_every_process_makes_the_same_ones_whatever_it_made_before(
    folder: Path, originals: Originals, tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from seqpipe.data.starter.handwriting import write_handwriting; "
        f"write_handwriting(Path(sys.argv[1]), {SMALL})"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "again"], check=True)
    assert contents(tmp_path / "again") == contents(folder)
    for part, size in SMALL.items():
        line = compose_line(part, size - 1, originals)
        with Image.open(folder / part / f"{part}-{size - 1:04d}.png") as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), line.pixels)


def test_tables_name_what_is_there(folder: Path) -> None:
    for part, size in SMALL.items():
        with (folder / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        assert [row["path"] for row in rows] == [f"{part}/{row['id']}.png" for row in rows]
        assert {folder / row["path"] for row in rows} == set((folder / part).iterdir())
        assert len(rows) == size
        for row in rows:
            assert len(row["originals"].split()) == len(row["text"].replace(" ", ""))


def test_they_are_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setenv("SEQPIPE_CACHE", str(folder.parent))
    assert data_root(DataConfig(root="starter:handwriting")) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    with pytest.raises(ConfigError, match="no starter data called handwritten; known: handwriting, "):
        data_root(DataConfig(root="starter:handwritten"))


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        starter_handwriting(tmp_path, sizes=SMALL, progress=interrupt)
    assert list(tmp_path.iterdir()) == []
