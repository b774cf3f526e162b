"""``seqpipe-run`` over texts: lines, column files, standard input."""

import io
import json
import sys
from pathlib import Path

import pytest

import seqpipe
from seqpipe.config.recipe import load_recipe
from seqpipe.export.export import export
from seqpipe.inference.infer import infer
from seqpipe.runtime.cli import main

TAGGER = """
data: {train: tagged.conll, format: columns, columns: [token, tag], input: token, target: tag}
pipeline:
  features: [Tokens, {stage: Embedding, size: 8}]
  encoder: {stage: RecurrentEncoder, hidden_size: 8, layers: 1}
  head: {stage: TaggerHead, decoder: crf, scheme: bio}
training: {epochs: 2, workers: 0, threads: 1, report: false, device: cpu}
"""
SENTENCES = "Off O\nto O\nChicago B-location\n\nOff O\nto O\nNew B-location\nYork I-location\n\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The run of a tagger, and what was exported of it."""
    folder = tmp_path_factory.mktemp("tagger")
    (folder / "tagged.conll").write_text(SENTENCES * 4)
    (folder / "tagger.yaml").write_text(TAGGER)
    seqpipe.train(load_recipe(folder / "tagger.yaml"), folder / "run", quiet=True)
    export(folder / "run", folder / "exported", data=str(folder / "tagged.conll"))
    return folder / "run", folder / "exported"


def test_column_files_and_texts(models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, exported = models
    monkeypatch.chdir(tmp_path)
    Path("more.conll").write_text("Back O\nto O\nYork O\n\n" * 3)
    Path("lines.txt").write_text("Off to New York\n\nYork\n" * 200)
    infer(run, ["more.conll", "lines.txt"], "theirs.col", device="cpu", quiet=True)
    assert main([str(exported), "more.conll", "lines.txt", "--output", "ours.col", "--quiet"]) == 0
    assert Path("ours.col").read_bytes() == Path("theirs.col").read_bytes()
    assert len(Path("ours.col").read_text().split("\n\n")) > 400


def test_lines_of_standard_input(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines = 'Off to Chicago\n\n{"token": "New York", "sent_id": "b"}\n{"word": 1}\n\xff\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode("latin-1"))))
    assert main([str(models[1]), "-", "--output", "-", "--quiet"]) == 3
    found = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [record["id"] for record in found] == ["line 1", "line 3", "line 4", "line 5"]
    assert [[word["text"] for word in record.get("words", [])] for record in found[:2]] == [
        ["Off", "to", "Chicago"],
        ["New", "York"],
    ]
    assert [record.get("error") for record in found] == [None, None, "bad value", "bad value"]
