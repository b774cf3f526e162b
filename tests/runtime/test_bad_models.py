"""Exported models that can't be run, and runs that can't be exported: what is wrong, where, and what to do."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile

from seqpipe import Pipeline, RecurrentEncoder
from seqpipe.cli import main as seqpipe
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.files import hash_file
from seqpipe.core.input import FileSpan
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError, RunError
from seqpipe.export.export import export
from seqpipe.export.graph import export_pipeline
from seqpipe.export.verify import TOLERANCES
from seqpipe.runtime.cli import main
from seqpipe.runtime.heads import make_head
from seqpipe.runtime.manifest import Part
from seqpipe.runtime.model import Model
from seqpipe.runtime.readers import make_reader
from seqpipe.text.units import SentencePieceUnits


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


def edit(model: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads((model / "model.json").read_text())
    change(content)
    (model / "model.json").write_text(json.dumps(content))


def test_a_file_that_was_truncated(model: Path) -> None:
    graph = model / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"model\.onnx: was truncated or altered since it was exported; export it again"):
        Model.load(model)


@pytest.mark.parametrize(
    ("module", "make", "message"),
    [
        (
            "PIL",
            lambda: make_reader(Part("LineImage", {}), Path()),
            "a model of images needs pillow, which isn't installed: pip install pillow (the extra image of",
        ),
        (
            "sentencepiece",
            lambda: SentencePieceUnits(b""),
            "a model with subword units needs sentencepiece, which isn't installed: pip install sentencepiece",
        ),
        (
            "bidi",
            lambda: make_head(Part("CTCHead", {"base_direction": "rtl"}), Path(), {}, 1.0),
            "a model of writing from right to left needs python-bidi, which isn't installed: pip install python-bidi",
        ),
    ],
)
def test_a_package_that_the_model_needs_and_the_small_distribution_does_not_bring(
    module: str, make: Callable[[], Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=re.escape(message)):
        make()


def test_a_file_that_was_altered(model: Path) -> None:
    units = next(path for path in (model / "assets").rglob("*") if path.is_file())
    units.write_bytes(units.read_bytes() + b" ")
    with pytest.raises(RunError, match=f"{units.name}: was truncated or altered"):
        Model.load(model)


def test_a_file_that_is_gone(model: Path) -> None:
    (model / "model.onnx").unlink()
    with pytest.raises(RunError, match=r"model\.onnx: is missing from the exported model; export it again"):
        Model.load(model)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"format_version": "2"}', b"\xff"])
def test_a_manifest_that_is_damaged(content: bytes, model: Path) -> None:
    (model / "model.json").write_bytes(content)
    with pytest.raises(RunError, match=r"model\.json: is damaged .*; export the model again"):
        Model.load(model)


def test_a_model_of_a_newer_version(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(model, lambda content: content.update(format_version=99, more=1))
    with pytest.raises(RunError, match=r"was written by a newer seqpipe \(format 99, this one reads 1\); upgrade"):
        Model.load(model)
    assert main([str(model), "a.wav", "--output", "-"]) == 1
    assert "seqpipe-run: " in capsys.readouterr().err


@pytest.mark.parametrize("part", ["reader", "head"])
def test_a_stage_that_this_version_does_not_know(part: str, model: Path) -> None:
    edit(model, lambda content: content[part].update(stage="Tomorrow"))
    with pytest.raises(RunError, match=r"Tomorrow, which this runtime doesn't know; upgrade it"):
        Model.load(model)


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_graph_that_takes_or_gives_something_else(side: str, model: Path) -> None:
    graph = onnx.load(str(model / "model.onnx"))
    old = getattr(graph.graph, side)[0].name
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = "other" if name == old else name
    getattr(graph.graph, side)[0].name = "other"
    onnx.save(graph, str(model / "model.onnx"))
    edit(model, lambda content: content["files"].update({"model.onnx": hash_file(model / "model.onnx")}))
    what = "takes" if side == "input" else "gives"
    with pytest.raises(RunError, match=rf"model\.onnx: {what} other .*, which isn't what the manifest says"):
        Model.load(model)


def test_a_graph_that_is_none(model: Path) -> None:
    (model / "model.onnx").write_bytes(b"no graph")
    edit(model, lambda content: content["files"].update({"model.onnx": hash_file(model / "model.onnx")}))
    with pytest.raises(RunError, match=r"model\.onnx: can't be loaded by onnxruntime"):
        Model.load(model)


def test_what_is_no_exported_model(trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(trained_run), "a.wav", "--output", "-"]) == 1
    assert "holds no model.json; an exported model is wanted (it is a run directory: export it first)" in (
        capsys.readouterr().err
    )
    with pytest.raises(RunError, match=r"nowhere: there is no such folder; an exported model is wanted"):
        Model.load(tmp_path / "nowhere")


# Exports that are refused


def test_a_folder_that_is_not_empty(trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert seqpipe(["export", str(trained_run), "--output", str(tmp_path)]) == 2
    assert "is there already; name a new folder, or remove it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_answers_that_are_too_far_from_the_runs(
    trained_run: Path, tmp_path: Path, tone_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (tone_data / "dev.tsv").read_text().splitlines()
    for line in rows[1:3]:
        (tmp_path / line.split("\t")[0]).parent.mkdir(exist_ok=True)
        shutil.copy(tone_data / line.split("\t")[0], tmp_path / line.split("\t")[0])
    (tmp_path / "two.tsv").write_text("\n".join(rows[:3]) + "\n")
    with monkeypatch.context() as patch:
        patch.setitem(TOLERANCES, "fp32", (1e-12, 0.1))  # no two ways to compute are so near
        with pytest.raises(RunError, match=r"isn't written: its answers are too far .* a probability is off by"):
            export(trained_run, tmp_path / "out", data=str(tmp_path / "two.tsv"))
    assert not list(tmp_path.glob("*out*"))
    export(trained_run, tmp_path / "out", data=str(tmp_path / "two.tsv"))
    assert (tmp_path / "out/model.onnx").is_file()


class OwnEncoder(RecurrentEncoder):
    """Of somebody who hasn't said what it computes in ONNX."""

    def to_onnx(self, graph: Any, sequence: Any) -> Any:
        return super(RecurrentEncoder, self).to_onnx(graph, sequence)


def test_a_stage_of_the_users_own(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).standard_normal(8000) * 0.1, 8000)
    recipe = parse_recipe(
        {
            "pipeline": {
                "features": [{"stage": "Waveform", "sample_rate": 8000}, {"stage": "LogMel", "n_mels": 8}],
                "encoder": {"stage": "OwnEncoder", "hidden_size": 4, "layers": 1},
                "head": "CTCHead",
            }
        },
        "own.yaml",
    )
    pipeline = Pipeline(recipe)
    pipeline.fit([Row("a", FileSpan(tmp_path / "a.wav"), "ab")])
    with pytest.raises(ConfigError, match=r"OwnEncoder can't be exported: .* to_onnx\(graph, sequence\), or use"):
        export_pipeline(pipeline.eval(), "fp32")
