"""Images of lines through the predictor and the verb: files, limits, windows, places."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

import seqpipe
from seqpipe import cli
from seqpipe.answers.failure import Failure
from seqpipe.config.recipe import Recipe
from seqpipe.core.measure import PIXELS
from seqpipe.core.warning import collecting_warnings
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.inference.engine import Engine
from seqpipe.inference.predictor import Predictor
from seqpipe.inference.reading import Reader
from seqpipe.inference.window import Window
from seqpipe.inference.workers import Workers
from seqpipe.pipeline import Pipeline

Command = Callable[..., tuple[int, str, str]]


def line(words: str, size: int = 30) -> Image.Image:
    font = ImageFont.load_default(size)
    image = Image.new("L", (round(font.getlength(words)) + 20, 2 * size), "white")
    ImageDraw.Draw(image).text((10, size // 2), words, fill="black", font=font)
    return image


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transcriber that has learnt its letters and no more, but is decided enough to emit them."""
    recipe = Recipe.model_validate(
        {
            "data": {"train": ""},
            "pipeline": {
                "features": [{"stage": "LineImage", "height": 16}],
                "frontend": {"stage": "Conv2dFrontEnd", "channels": [4, 4]},
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 8, "layers": 1},
                "head": {"stage": "CTCHead"},
            },
        }
    )
    pipeline = Pipeline(recipe)
    pipeline.fit([Row("1", np.asarray(line("abc")), "abc"), Row("2", np.asarray(line("b a")), "b a")])
    with torch.no_grad():
        pipeline.head.output.weight.mul_(20.0)
    folder = tmp_path_factory.mktemp("images") / "run"
    pipeline.save(folder)
    return folder


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return seqpipe.load(run, device="cpu", threads=1)


@pytest.fixture
def command(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """``seqpipe infer`` with this model; status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def infer(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(["infer", str(run), *arguments, "--threads", "1", "--workers", "0"])
        return status, *capfd.readouterr()

    return infer


def test_folders_and_files_are_answered_in_order_and_places_lie_in_them(command: Command, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    line("minimum").save("scans/a.png")
    line("some more", size=90).convert("RGB").save("scans/b.jpg")
    line("and more").save("scans/c.tif")
    Path("scans/d.png").write_bytes(Path("scans/a.png").read_bytes()[:300])
    Path("scans/notes.txt").write_text("no image")
    line("last").save("z.png")
    status, _, said = command("scans", "z.png", "gone.png", "--output", "out.jsonl")
    assert status == 3
    assert "pixels a second" in said
    assert "audio" not in said
    answers = [json.loads(answer) for answer in Path("out.jsonl").read_text().splitlines()]
    names = ["scans/a.png", "scans/b.jpg", "scans/c.tif", "scans/d.png", "z.png", "gone.png"]
    assert [answer["id"] for answer in answers] == names
    assert [answer["error"] for answer in answers if "error" in answer] == ["truncated", "missing"]
    ends = {}
    for name, answer in zip(names, answers, strict=True):
        if answer.get("tokens"):
            with Image.open(name) as image:
                places = [token[edge] for token in answer["tokens"] for edge in ("start", "end")]
                assert min(places) >= 0
                assert max(places) <= image.width
                ends[name] = max(places) / image.width
    assert ends["scans/b.jpg"] > 0.7, "in pixels of the file, not of the scaled line"


def test_what_python_may_give(predictor: Predictor, tmp_path: Path) -> None:
    image = line("minimum")
    image.save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    answers = list(predictor.predict([path, path.read_bytes(), np.asarray(image), Row("mine", np.asarray(image)), 5]))
    assert [answer.id for answer in answers] == [str(path), "2", "3", "mine", "5"]
    assert len({answer.text for answer in answers[:4]}) == 1
    assert isinstance(answers[4], Failure)
    assert "an image is a path" in answers[4].message


def test_each_page_of_a_tiff_is_answered(command: Command, predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    line("minimum").save("scans/b.tif", save_all=True, append_images=[line("some more"), line("a")])
    line("last").save("scans/c.tif")
    Path("list.tsv").write_text("path\tid\ttext\nscans/b.tif\tmine\tminimum\n")
    assert command("scans", "--output", "out.jsonl")[0] == 0
    answers = [json.loads(answer) for answer in Path("out.jsonl").read_text().splitlines()]
    assert [answer["id"] for answer in answers] == ["scans/b.tif#1", "scans/b.tif#2", "scans/b.tif#3", "scans/c.tif"]
    alone = list(predictor.predict([np.asarray(line(words)) for words in ("minimum", "some more", "a", "last")]))
    assert [answer["text"] for answer in answers] == [answer.text for answer in alone]
    assert command("list.tsv", "--set", "data.id=id", "--output", "listed.jsonl")[0] == 0
    listed = [json.loads(answer)["id"] for answer in Path("listed.jsonl").read_text().splitlines()]
    assert listed == ["mine#1", "mine#2", "mine#3"]
    content = Path("scans/b.tif").read_bytes()
    assert [answer.id for answer in predictor.predict([b"", content])] == ["1", "2#1", "2#2", "2#3"]
    with collecting_warnings() as heard:
        (answer,) = predictor.predict([Path("scans/b.tif")], unbind=False)  # as a row with a target
    assert answer.text == alone[0].text
    assert heard == [("several pages", "scans/b.tif: the file has 3 pages; the first is read")]


def test_a_score_is_of_the_first_page_and_says_so(run: Path, tmp_path: Path) -> None:
    line("abc").save(tmp_path / "a.tif", save_all=True, append_images=[line("b a")])
    line("abc").save(tmp_path / "b.tif")
    (tmp_path / "list.tsv").write_text("path\ttext\na.tif\tabc\nb.tif\tabc\n")
    found = evaluate(run, str(tmp_path / "list.tsv"), device="cpu")
    assert len(found.predictions) == 2
    assert any("a.tif: the file has 2 pages; the first is read" in notice for notice in found.notices)


def test_limits_are_in_columns(run: Path, command: Command) -> None:
    predictor = seqpipe.load(run, device="cpu", threads=1, max_steps=100)
    short, long = predictor.predict([np.ones((16, 100)), np.ones((32, 204))])
    assert not isinstance(short, Failure)
    said = "2: is 102 pixels long as scaled by the recipe; 100 are allowed (--max-steps, max_steps)"
    assert (long.kind, long.message) == ("too long", said)
    for settings, said in (
        (
            {"max_seconds": 5},
            r"max_seconds .* is for recordings, and this model reads images of lines; max_st",
        ),
        ({"max_tokens": 5}, r"max_tokens .* is for text, and this model reads images"),
        ({"segment_seconds": 10}, "segment_seconds .* is for recordings, and this model reads images of lines"),
        ({"max_steps": 0}, "max_steps should be above 0; received 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            seqpipe.load(run, device="cpu", **settings)
    line("minimum").save("a.png")
    assert command("a.png", "--output", "-", "--max-steps", "5")[0] == 3
    assert command("a.png", "--output", "-", "--max-steps", "500")[0] == 0
    assert command("a.png", "--output", "-", "--max-seconds", "500")[0] == 2


def test_a_window_of_images_closes_by_columns(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after two hours, were a column a second."""
    inputs = [np.ones((16, 50))] * 30
    assert PIXELS.window_length > 100 * 1000, "some hundred lines"
    sizes = {}
    for most in (PIXELS.window_length, 500):
        monkeypatch.setattr(predictor.pipeline.features.reader, "measure", replace(PIXELS, window_length=most))
        engine = Engine(predictor.pipeline, predictor.settings, predictor.compute)
        reader = Reader(predictor.preparation, Workers(predictor.preparation, count=1))
        sizes[most] = [len(window.answers) for window in engine.windows(reader, inputs) if isinstance(window, Window)]
    assert list(sizes.values()) == [[30], [10, 10, 10]]


@pytest.mark.parametrize("kind", ["srt", "ctm"])
def test_pixels_are_not_written_as_seconds(kind: str, command: Command) -> None:
    line("minimum").save("a.png")
    status, _, said = command("a.png", "--output", "out", "--format", kind)
    assert status == 2
    assert f"--format {kind}: needs words with times in seconds, and this model answers with pixels" in said
    assert not Path("out").exists()
