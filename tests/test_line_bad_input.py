"""Odd and broken images of lines, from training to the answer; each is named, nothing else falls."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqpipe import cli
from seqpipe.data.starter.handwriting import Originals, compose_line

RECIPE = """
data: {train: train.tsv, dev: dev.tsv}
pipeline:
  features: [{stage: LineImage, height: 16}, {stage: LineDistortion, probability: 0.5, elastic_amplitude: 1}]
  frontend: {stage: Conv2dFrontEnd, channels: [4, 4], kernels: [[3, 3], [3, 3]], pools: [[2, 2], [2, 2]]}
  encoder: {stage: RecurrentEncoder, hidden_size: 6, layers: 1}
  head: {stage: CTCHead}
training: {epochs: 1, batch_rows: 8, learning_rate: 0.01, workers: 0, threads: 1, device: cpu, report: false}
"""
Say = Callable[..., tuple[int, str, str]]
Odd = Callable[[str], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve good lines in ``train.tsv``, four in ``dev.tsv``, and ``recipe.yaml``. Read only: tests share it."""
    folder, originals = tmp_path_factory.mktemp("lines"), Originals()
    (folder / "recipe.yaml").write_text(RECIPE)
    for part, count in (("train", 12), ("dev", 4)):
        table = ["path\ttext"]
        for index in range(count):
            line = compose_line(part, index, originals)
            Image.fromarray(line.pixels).save(folder / f"{part}-{index}.png")
            table.append(f"{part}-{index}.png\t{line.text}")
        (folder / f"{part}.tsv").write_text("\n".join(table) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "lines"
    assert cli.main(["train", str(folder / "recipe.yaml"), "--out", str(run)]) == 0
    return run


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Say:
    """The command in this process: status, standard output and error."""

    def say(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return say


@pytest.fixture
def odd(folder: Path, tmp_path: Path) -> Odd:
    """An image of the given kind; of those that break off, the first half of a good one."""

    def make(kind: str) -> Path:
        path = tmp_path / f"{kind}.jpg" if kind == "cut jpeg" else tmp_path / f"{kind}.png"
        with Image.open(folder / "train-0.png") as good:
            pixels = np.asarray(good)
        shown = {
            "blank": np.full_like(pixels, 230),
            "black": np.zeros_like(pixels),
            "one pixel high": pixels[24:25],
            "one pixel": pixels[:1, :1],
            "one column": pixels[:, :1],
        }.get(kind, pixels)
        if kind == "text":
            path.write_text("a letter")
        elif kind == "empty":
            path.write_bytes(b"")
        elif kind != "gone":
            Image.fromarray(shown).save(path)
        if kind in ("cut", "cut jpeg"):
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
        return path

    return make


def table(path: Path, rows: list[tuple[object, str]]) -> Path:
    path.write_text("path\ttext\n" + "".join(f"{image}\t{text}\n" for image, text in rows))
    return path


BROKEN = [
    ("gone", "missing"),
    ("empty", "empty"),
    ("text", "undecodable"),
    ("cut", "truncated"),
    ("cut jpeg", "truncated"),
]


@pytest.mark.parametrize(("kind", "error"), BROKEN)
def test_a_broken_image_costs_itself_alone(
    kind: str, error: str, folder: Path, run: Path, odd: Odd, say: Say, tmp_path: Path
) -> None:
    image, good = odd(kind), folder / "train-0.png"
    rows = table(tmp_path / "rows.tsv", [(good, "1"), (image, "1"), (good, "1")])
    status, out, err = say("infer", run, rows, "--output", "-", "--workers", 0)
    assert status == 3
    first, broken, last = (json.loads(line) for line in out.splitlines())
    assert first == last
    assert "error" not in first
    assert broken["error"] == error
    assert str(image) in broken["message"]
    assert "row 2" in err

    status, _, err = say("train", folder / "recipe.yaml", "--out", tmp_path / "strict", f"data.train={rows}")
    assert status == 1
    assert f"{error}: 1 of 3 rows" in err
    assert "rows.tsv, row 2" in err
    assert not (tmp_path / "strict" / "model.safetensors").exists()


@pytest.mark.parametrize("kind", ["blank", "black", "one pixel high", "one pixel", "one column"])
def test_an_image_with_little_in_it_is_answered_and_named_by_check(
    kind: str, folder: Path, run: Path, odd: Odd, say: Say, tmp_path: Path
) -> None:
    image = odd(kind)
    status, out, err = say("infer", run, image, "--output", "-", "--workers", 0)
    assert status == 0, err
    assert 0 <= json.loads(out)["confidence"] <= 1

    rows = table(tmp_path / "rows.tsv", [(folder / "train-0.png", "1"), (image, "1")])
    status, out, _ = say("check", rows, "--recipe", folder / "recipe.yaml", "--json")
    warned = {
        warning["kind"]
        for part in json.loads(out)["parts"].values()
        for warning in part["warnings"]
        if any(row["row"] == 2 for row in warning["rows"])
    }
    expected = {"one pixel high": {"lower resolution", "unusual shape"}, "one column": {"unusual shape"}}
    assert expected.get(kind, {"blank"}) <= warned


def test_a_text_longer_than_its_image_allows_is_named(folder: Path, say: Say, tmp_path: Path) -> None:
    good = [(folder / f"train-{index}.png", "123") for index in range(9)]
    rows = table(tmp_path / "rows.tsv", [*good, (folder / "train-9.png", "12" * 60)])
    arguments = ("train", folder / "recipe.yaml", f"data.train={rows}", "--out")
    status, _, err = say(*arguments, tmp_path / "strict")
    assert status == 1
    assert "too short for its label: 1 of 10 rows" in err
    assert "rows.tsv, row 10" in err
    assert "its label needs 120 steps" in err
    assert "lower the strides and pools over steps" in err
    assert not (tmp_path / "strict" / "model.safetensors").exists()

    status, _, err = say(*arguments, tmp_path / "lenient", "data.max_bad_share=0.1")
    assert status == 0, err
    assert "left out of training" in err
    assert "row 10" in err


def test_training_takes_images_with_little_in_them(folder: Path, odd: Odd, say: Say, tmp_path: Path) -> None:
    """Blank ones teach that there is nothing to read; no loss or statistic breaks of them."""
    good = [(folder / f"train-{index}.png", "123") for index in range(6)]
    rows = table(tmp_path / "rows.tsv", [*good, (odd("blank"), "1"), (odd("black"), "2"), (odd("one pixel high"), "3")])
    status, _, err = say("train", folder / "recipe.yaml", "--out", tmp_path / "run", f"data.train={rows}")
    assert status == 0, err
    assert "not finite" not in err
