"""Lines of images and pen strokes, exported: the graph is the model, and answers are the model's, places included."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from seqpipe import ConfigError, LineImage, PaddedSequence, PenStrokes, StrokeFeatures
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol
from seqpipe.core.stage import Stage
from seqpipe.data.pages.line import PageLine
from seqpipe.data.rows import Row
from seqpipe.export.export import export
from seqpipe.features.pen.stroke_features import Kind
from seqpipe.features.pen.stroke_nodes import MAX_POINTS
from seqpipe.inference.predictor import load
from seqpipe.pipeline import Pipeline
from seqpipe.runtime.model import Model

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

TEXTS = ["ab", "ba c", "cab abc", "c"]


def line(seed: int) -> np.ndarray:
    """Scrawls on paper, of one size or another."""
    generator = np.random.default_rng(seed)
    width, height = int(generator.integers(60, 240)), int(generator.integers(20, 50))
    image = Image.new("L", (width, height), 230)
    draw = ImageDraw.Draw(image)
    for x in range(5, width - 8, 9):
        points = generator.integers(3, height - 3, 4)
        draw.line([(x + 2 * place, int(y)) for place, y in enumerate(points)], fill=20, width=2)
    return np.asarray(image)


def strokes(seed: int) -> list[np.ndarray]:
    """A stroke a letter, and some dots."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(int(generator.integers(2, 9))):
        count = int(generator.integers(1, 30))
        walk = generator.normal(size=(count, 2)).cumsum(axis=0)
        found.append(10 * (walk + np.array([4.0 * number, 0.0])))
    return found


def ctc(features: list[dict[str, Any]]) -> Any:
    return parse_recipe(
        {
            "data": {"train": "train.tsv"},
            "pipeline": {
                "features": features,
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 8, "layers": 1},
                "head": {"stage": "CTCHead"},
            },
        },
        "a test",
    )


IMAGES: list[dict[str, Any]] = [
    {"stage": "LineImage", "height": 12, "slant": True},
    {"stage": "LineDistortion", "rotation": 1.0},
]
PEN: list[dict[str, Any]] = [
    {"stage": "PenStrokes", "step": 0.3, "deslant": True},
    {"stage": "StrokeDistortion"},
    {"stage": "StrokeFeatures", "features": list(get_args(Kind))},
    {"stage": "Normalization", "over": "global"},
]


def saved(recipe: Any, inputs: list[Any], folder: Path) -> Path:
    """A run with random weights, those of the last layer so large that labels other than one win."""
    pipeline = Pipeline(recipe)
    pipeline.fit([Row(str(number), raw, text) for number, (raw, text) in enumerate(zip(inputs, TEXTS, strict=False))])
    with torch.no_grad():
        pipeline.head.get_parameter("output.weight").mul_(40)
    pipeline.eval()
    pipeline.save(folder)
    return folder


@pytest.fixture(scope="module", params=["images", "pen"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A run directory and inputs of unequal lengths."""
    features, make = (IMAGES, line) if request.param == "images" else (PEN, strokes)
    inputs: list[Any] = [make(seed) for seed in range(9)]
    return saved(ctc(features), inputs, tmp_path_factory.mktemp("run") / "run"), inputs


def graph_of(stage: Stage, form: Form) -> Callable[[PaddedSequence], np.ndarray]:
    """What a stage's nodes compute of a batch."""
    graph = OnnxGraph()
    made = stage.to_onnx(graph, Symbol("values", "lengths"))
    inputs = {"values": form, "lengths": Form("int64", ("rows",))}
    outputs = {"output": (made.values, Form("float32", ("rows", "steps", stage.output_size)))}
    session = onnxruntime.InferenceSession(graph.model(inputs, outputs, "test"), providers=["CPUExecutionProvider"])

    def run(batch: PaddedSequence) -> np.ndarray:
        given = {"values": batch.values.numpy(), "lengths": batch.lengths.numpy()}
        (found,) = session.run(None, given)
        return np.asarray(found)

    return run


def batch_of(rows: list[torch.Tensor]) -> PaddedSequence:
    """A batch with noise in its padding."""
    batch = PaddedSequence.pad(rows)
    noise = torch.full_like(batch.values, 7)
    mask = batch.mask().view(*batch.mask().shape, *[1] * (batch.values.ndim - 2))
    return PaddedSequence(torch.where(mask, batch.values, noise), batch.lengths)


@pytest.mark.parametrize("kind", [*get_args(Kind), "all"])
def test_features_of_strokes_are_those_of_the_stage_and_no_row_sees_another(kind: str) -> None:
    kinds: Any = list(get_args(Kind)) if kind == "all" else [kind]
    stage, reader = StrokeFeatures(step=0.3, features=kinds, reach=3), PenStrokes(step=0.3)
    rows = [reader.prepare(strokes(seed), None) for seed in range(6)] + [reader.prepare([[0.0, 0.0]], None)]
    batch, nodes = batch_of(rows), graph_of(stage, reader.onnx_input())
    found, wanted = nodes(batch), stage(batch).values.numpy()
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(wanted).max() > 0.1
    for place, row in enumerate(rows):
        alone = nodes(PaddedSequence.pad([row]))[0]
        assert np.abs(alone - found[place, : len(row)]).max() < 1e-5


@pytest.mark.parametrize("points", [1, 2, 3, 1023, 1024, 1025, 2500])
def test_running_maxima_are_exact_however_many_points_there_are(points: int) -> None:
    stage = StrokeFeatures(step=0.2, features=["delayed"])
    values = torch.ones(1, points, 4)
    values[0, :, 1] = torch.randn(points, generator=torch.Generator().manual_seed(points)).cumsum(0)
    batch = PaddedSequence.pad([values[0]])
    assert np.abs(graph_of(stage, PenStrokes().onnx_input())(batch) - stage(batch).values.numpy()).max() < 1e-5


def test_columns_of_ink_become_shares() -> None:
    stage = LineImage(height=9)
    batch = batch_of([stage.prepare(line(seed), None) for seed in range(3)])
    found, wanted = graph_of(stage, stage.onnx_input())(batch), stage(batch).values.numpy()
    assert np.abs(found - wanted)[batch.mask().numpy()].max() < 1e-6


def test_more_points_than_a_graph_is_exact_for_are_refused() -> None:
    with pytest.raises(ConfigError, match="max_length 2,000,000 can't be exported; it may be 1,048,576 at most"):
        PenStrokes(max_length=2_000_000).onnx_input()
    assert PenStrokes(max_length=MAX_POINTS).onnx_input().shape[-1] == 4


def test_what_is_exported_answers_as_the_run_does(run: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, inputs = run
    export(folder, tmp_path / "exported")
    wanted = list(load(folder).predict(inputs))
    found = list(Model.load(tmp_path / "exported").predict(inputs))
    assert sum(len(answer.tokens) for answer in wanted) > 10
    for ours, theirs in zip(wanted, found, strict=True):
        assert ours.text == theirs.text
        assert abs(ours.confidence - theirs.confidence) < 1e-4
        assert [token.text for token in ours.tokens] == [token.text for token in theirs.tokens]
        for one, other in zip(ours.tokens, theirs.tokens, strict=True):
            assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=1e-9)
            assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_in_8_bits_a_batch_is_its_rows_one_by_one_to_the_bit(run: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, inputs = run
    export(folder, tmp_path / "exported", precision="int8")
    model = Model.load(tmp_path / "exported")
    prepared = [model.reader.prepare(raw) for raw in inputs]
    for together, row in zip(model.session.run(prepared), prepared, strict=True):
        assert np.array_equal(together, model.session.run([row])[0])
    assert [answer.text for answer in model.predict(inputs)] == [next(model.predict([raw])).text for raw in inputs]


def test_the_reader_without_torch_locates_and_warns_as_the_stage(run: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, inputs = run
    export(folder, tmp_path / "exported")
    stage, reader = Pipeline.load(folder).features.reader, Model.load(tmp_path / "exported").reader
    for raw in inputs:
        ours, theirs = stage.prepare(raw, None), reader.prepare(raw)
        assert np.array_equal(ours.numpy(), theirs)
        assert reader.length(raw) == len(theirs)
        steps = np.linspace(-1, len(theirs) + 1, 23)
        assert reader.locate(theirs, steps).tolist() == stage.locate(ours, torch.from_numpy(steps)).tolist()
        assert reader.source(raw).scale == stage.source(raw).scale
        assert reader.warnings(raw, theirs) == stage.warnings(raw, ours)


def test_answers_need_neither_torch_nor_scipy(run: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, inputs = run
    export(folder, tmp_path / "exported")
    shape = "np.asarray" if isinstance(inputs[0], np.ndarray) else ""
    code = f"""
import sys
import numpy as np
import seqpipe.runtime
raw = {shape}({[each.tolist() for each in inputs[1]] if not shape else inputs[1].tolist()!r})
raw = raw.astype(np.uint8) if {bool(shape)} else raw
(answer,) = seqpipe.runtime.load({str(tmp_path / "exported")!r}).predict([raw])
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not {"torch", "scipy", "pydantic", "pandas", "lightning"} & set(loaded)
    assert "onnxruntime" in loaded


def test_cutting_a_page_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Image.fromarray(line(1)).save(tmp_path / "page.png")
    cut = PageLine(
        tmp_path / "page.png", ((0, 9), (40, 9)), ((0, 0), (40, 0), (40, 15), (0, 15)), "1", tmp_path / "p.xml"
    )
    reader = LineImage(height=8)
    assert reader.length(cut) > 1
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(ConfigError, match="cutting lines out of pages needs the package scipy: pip install scipy"):
        reader.length(cut)
