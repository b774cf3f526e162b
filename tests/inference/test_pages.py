"""Pages as inputs of `seqpipe infer`: from documents to lines, and back into documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seqpipe
from seqpipe.answers.failure import Failure
from seqpipe.cli import main
from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from seqpipe.data.pages.line import PageLine
from seqpipe.data.pages.read import read_page
from seqpipe.data.rows import Row
from seqpipe.inference.inputs import check_inputs, count_inputs, expand_inputs
from seqpipe.inference.shard import shard
from seqpipe.inference.slot import digest_of, make_slot
from seqpipe.runtime.cli import main as run_exported

NO_FILES: frozenset[str] = frozenset()
"""Of inputs that are no files."""

EXAMPLES = Path(__file__).resolve().parents[1] / "data" / "pages" / "examples"
PAGES = DataConfig(format="pages")


def write_pages(folder: Path) -> None:
    """Pages with their image, a page that is none, and the image of a line."""
    for name in ("alto4", "page2019"):
        (folder / f"{name}.xml").write_bytes((EXAMPLES / f"{name}.xml").read_bytes())
    (folder / "broken.xml").write_text("<alto>")
    pixels = np.full((400, 600), 230, np.uint8)
    for y in (100, 200, 300):
        pixels[y - 20 : y, 60:540:9] = 30
    Image.fromarray(pixels).save(folder / "scan.png")
    Image.fromarray(pixels[70:112]).save(folder / "line.png")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With pages, and the working one."""
    write_pages(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(*arguments: str, config: DataConfig | None = None) -> list[Row | Failure]:
    return list(expand_inputs(arguments, config or DataConfig(), suffixes=IMAGE_SUFFIXES))


def test_a_page_is_as_many_inputs_as_lines(folder: Path) -> None:
    rows = rows_of("alto4.xml", "line.png", "*2019.xml")
    assert [row.id for row in rows] == [
        *("alto4.xml:l1", "alto4.xml:l2", "alto4.xml:l3", "line.png"),
        *("page2019.xml:l1", "page2019.xml:l2", "page2019.xml:l3"),
    ]
    assert [isinstance(row, Row) and isinstance(row.input, PageLine) for row in rows] == [True] * 3 + [False] + [
        True
    ] * 3
    assert count_inputs(["alto4.xml", "line.png", "*2019.xml"], DataConfig(), IMAGE_SUFFIXES) == len(rows)


def test_lines_come_in_the_order_in_which_they_are_read(folder: Path) -> None:
    page = (folder / "page2019.xml").read_text()
    upwards = page.replace("<Page ", '<Page textLineOrder="bottom-to-top" ').replace("readingOrder", "position")
    (folder / "upwards.xml").write_text(upwards)
    assert [row.id for row in rows_of("upwards.xml")] == ["upwards.xml:l2", "upwards.xml:l1", "upwards.xml:l3"]


def test_a_folder_gives_images_or_where_the_recipe_has_pages_these(folder: Path) -> None:
    (folder / "METS.xml").write_text("<mets/>")
    assert [row.id for row in rows_of(".")] == ["line.png", "scan.png"]
    rows = rows_of(".", config=PAGES)
    assert {row.id.partition(":")[0] for row in rows} == {"alto4.xml", "page2019.xml", "broken.xml"}
    assert count_inputs(["."], PAGES, IMAGE_SUFFIXES) == len(rows) == 7
    by_pattern = rows_of("*.xml")
    assert [row.id for row in by_pattern] == [row.id for row in rows]
    assert count_inputs(["*.xml"], DataConfig(), IMAGE_SUFFIXES) == 7


def test_documents_that_a_folder_does_not_give_are_told_with_the_pattern_that_does(folder: Path) -> None:
    (folder / "METS.xml").write_text("<mets/>")

    def told(name: str, config: DataConfig | None = None) -> list[str]:
        said: list[str] = []
        list(expand_inputs([name], config or DataConfig(), suffixes=IMAGE_SUFFIXES, notice=said.append))
        return said

    for name in (".", str(folder)):
        (message,) = told(name)
        assert message.startswith(f"{name}: ")
        assert "3 documents (.xml) in it are not read" in message
        assert [row.id for row in rows_of(message.split("'")[1])] == [row.id for row in rows_of(f"{Path(name)}/*.xml")]
    assert told("line.png") == told("*.xml") == told(".", PAGES) == []
    (folder / "deep [1]" / "er").mkdir(parents=True)
    (folder / "broken.xml").rename("deep [1]/er/broken.xml")
    (message,) = told("deep [1]")
    assert [row.id for row in rows_of(message.split("'")[1])] == ["deep [1]/er/broken.xml"]


def test_only_models_that_read_images_read_pages(folder: Path) -> None:
    assert [row.id for row in expand_inputs(["alto4.xml"], DataConfig(), suffixes=AUDIO_SUFFIXES)] == ["alto4.xml"]
    (first, *_) = expand_inputs(["alto4.xml"], DataConfig(), suffixes=NO_FILES)
    assert isinstance(first, Row)
    assert isinstance(first.input, str)


def test_what_is_wrong_stands_in_its_place(folder: Path) -> None:
    Path("alto4.xml").write_text(Path("alto4.xml").read_text().replace("50,200 550,200", "50"))
    Path("scan.png").unlink()
    rows = rows_of("broken.xml", "alto4.xml", "gone.xml")
    slots = [make_slot(row, number) for number, row in enumerate(rows, 1)]
    found = [(slot.id, slot.failure.kind, slot.failure.message) for slot in slots if slot.failure]
    assert [one[:2] for one in found] == [
        *(("broken.xml", "undecodable"), ("alto4.xml:l1", "missing")),
        *(("alto4.xml:l2", "missing"), ("alto4.xml:l3", "missing")),
    ]
    assert all(message.startswith(row_id.partition(":")[0]) for row_id, _, message in found)
    assert rows[-1].id == "gone.xml"  # reading it says that it is missing
    check_inputs(["alto4.xml", "gone.xml"], DataConfig(), suffixes=IMAGE_SUFFIXES)


def test_a_line_that_moved_is_another_input(folder: Path) -> None:
    def digests() -> list[str]:
        return [digest_of([make_slot(row, 1)]) for row in rows_of("alto4.xml")]

    before = digests()
    assert digests() == before
    Path("alto4.xml").write_text(Path("alto4.xml").read_text().replace("50,200 550,200", "50,201 550,200"))
    after = digests()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_lines_of_a_page_stay_together_in_a_shard() -> None:
    def rows() -> Iterator[Row]:
        for page in range(40):
            for line in range(1 + page % 5):
                place = PageLine(Path("x.png"), (), (), f"l{line}", Path(f"{page}.xml"))
                yield Row(f"{page}.xml:l{line}", place)
            yield Row(f"{page}.png", page)

    parts = [list(shard(rows(), index, 3, lambda row: 1.0)) for index in range(3)]
    pages = [{row.input.page for row in part if isinstance(row.input, PageLine)} for part in parts]  # type: ignore[union-attr]
    assert not pages[0] & pages[1]
    assert not pages[0] & pages[2]
    assert not pages[1] & pages[2]
    every = [row.id for row in rows()]
    assert sorted(row.id for part in parts for row in part) == sorted(every)
    for part in parts:
        assert [row.id for row in part] == [row_id for row_id in every if row_id in {row.id for row in part}]
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 5


RECIPE = """
data: {train: "*[49].xml", dev: alto4.xml}
pipeline:
  features: [{stage: LineImage, height: 16}]
  frontend: {stage: Conv2dFrontEnd, channels: [4], kernels: [[3, 3]], strides: [[2, 2]]}
  encoder: {stage: RecurrentEncoder, hidden_size: 8, layers: 1}
  head: {stage: CTCHead}
training: {epochs: 1, batch_steps: 2000, workers: 0, threads: 1, device: cpu, report: false, loggers: []}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that was trained on the pages, for a moment."""
    if not hasattr(seqpipe, "LineImage"):
        pytest.skip("there is no LineImage to read the lines with")
    folder = tmp_path_factory.mktemp("trained")
    write_pages(folder)
    (folder / "recipe.yaml").write_text(RECIPE)
    assert main(["train", str(folder / "recipe.yaml"), "--out", str(folder / "run")]) == 0
    return str(folder / "run")


def infer(*arguments: str) -> int:
    return main(["infer", *arguments, "--quiet", "--workers", "0", "--device", "cpu"])


def test_pages_come_back_with_the_answers(run: str, folder: Path) -> None:
    assert infer(run, "alto4.xml", "page2019.xml", "--output", "out.jsonl") == 0
    answers = {one["id"]: one for one in map(json.loads, Path("out.jsonl").read_text().splitlines())}
    for kind in ("alto", "page"):
        assert infer(run, "alto4.xml", "page2019.xml", "--output", f"{kind}/", "--format", kind) == 0
        for name in ("alto4.xml", "page2019.xml"):
            document = read_page(Path(kind) / name)
            assert document.kind == kind
            assert [line.text for line in document.lines] == [
                " ".join(answers[f"{name}:{line.id}"]["text"].split()) for line in document.lines
            ]
    assert infer(run, "alto4.xml", "--output", "alto/", "--format", "alto") == 2  # is there already
    assert infer(run, "alto4.xml", "--output", "alto/", "--format", "alto", "--overwrite") == 0
    assert [path.name for path in Path("alto").iterdir()] == ["alto4.xml"]


def test_failures_are_named_and_images_are_no_pages(run: str, folder: Path) -> None:
    assert infer(run, "broken.xml", "line.png", "alto4.xml", "--output", "out", "--format", "alto") == 3
    failures = [json.loads(line) for line in Path("out/failures.jsonl").read_text().splitlines()]
    assert [one["id"] for one in failures] == ["broken.xml", "line.png"]
    assert "line.png: is no line of a page, and --format alto writes pages" in failures[1]["message"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["alto4.xml", "failures.jsonl"]
    assert infer(run, "line.png", "--output", "out.jsonl") == 0


def test_a_run_that_was_stopped_goes_on_to_the_same_pages(run: str, folder: Path) -> None:
    whole = ["alto4.xml", "page2019.xml", "--format", "page", "--window", "2"]
    assert infer(run, *whole, "--output", "whole") == 0
    assert infer(run, *whole, "--output", "cut") == 0
    lines = Path("cut.journal").read_bytes().splitlines(keepends=True)
    # As it was after the first window, in the middle of the first page.
    count = sum(b'"kind": "window"' in line for line in lines)
    assert count == 3
    assert infer(run, *whole[:2], "--output", "all.jsonl", "--window", "2") == 0
    Path("cut.journal").write_bytes(b"".join(lines[:2]))
    Path("cut.partial").write_bytes(b"".join(Path("all.jsonl").read_bytes().splitlines(keepends=True)[:2]))
    for path in Path("cut").iterdir():
        path.unlink()
    assert infer(run, *whole, "--output", "cut", "--resume") == 0
    assert sorted(path.name for path in Path("whole").iterdir()) == ["alto4.xml", "page2019.xml"]
    for path in Path("whole").iterdir():
        assert path.read_bytes() == (Path("cut") / path.name).read_bytes()


def test_shards_have_whole_pages(run: str, folder: Path) -> None:
    for part in ("1/2", "2/2"):
        status = infer(
            run, "alto4.xml", "page2019.xml", "--format", "alto", "--output", f"out{part[0]}", "--shard", part
        )
        assert status == 0
    written = [sorted(path.name for path in Path(f"out{part}").iterdir()) for part in (1, 2)]
    assert sorted(name for names in written for name in names) == ["alto4.xml", "page2019.xml"]


def test_python_takes_lines_too(run: str, folder: Path) -> None:
    predictor = seqpipe.load(run, device="cpu")
    lines = [row.input for row in rows_of("alto4.xml") if isinstance(row, Row)]
    assert [answer.id for answer in predictor.predict(lines)] == ["alto4.xml:l1", "alto4.xml:l2", "alto4.xml:l3"]
    with pytest.raises(TypeError, match="received one"):
        predictor.predict(lines[0])


def test_the_exported_model_writes_the_same_pages(run: str, folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert main(["export", run, "--output", "exported"]) == 0
    inputs = ["alto4.xml", "page2019.xml", "broken.xml"]
    for kind in ("alto", "page"):
        assert infer(run, *inputs, "--output", f"theirs-{kind}", "--format", kind) == 3
        status = run_exported(["exported", *inputs, "--output", f"ours-{kind}", "--format", kind, "--quiet"])
        assert status == 3
        written = [sorted(path.name for path in Path(f"{side}-{kind}").iterdir()) for side in ("ours", "theirs")]
        assert written == [["alto4.xml", "failures.jsonl", "page2019.xml"]] * 2
        for name in inputs[:2]:
            ours, theirs = (Path(f"{side}-{kind}") / name for side in ("ours", "theirs"))
            assert ours.read_bytes() == theirs.read_bytes()
            assert any(each.text for each in read_page(ours).lines)
