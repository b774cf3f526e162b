"""The attention head, exported: its graphs are the decoder, and searches over them find what the head's find."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe import ConfigError, PaddedSequence
from seqpipe.config.recipe import parse_recipe
from seqpipe.data.rows import Row
from seqpipe.decoding.ctc_prefixes import CTCPrefixes as TorchPrefixes
from seqpipe.errors import RunError
from seqpipe.export.export import export
from seqpipe.inference.predictor import Predictor, load
from seqpipe.pipeline import Pipeline
from seqpipe.runtime.ctc_prefixes import CTCPrefixes
from seqpipe.runtime.heads.attention import AttentionDecoder
from seqpipe.runtime.manifest import read_manifest
from seqpipe.runtime.model import Model
from seqpipe.runtime.search import SearchOptions

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

TEXTS = ["ab", "ba c", "cab abc", "c", "abc abc", "bb", "a", "c c", "acb"]


def line(seed: int) -> np.ndarray:
    """Grey noise of some width, which is as good as writing to a model that has learnt nothing."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (12, int(generator.integers(30, 90)))).astype(np.uint8)


INPUTS = [line(seed) for seed in range(9)]


def run_of(folder: Path, head: dict[str, Any], decoding: dict[str, Any]) -> Path:
    """A run with random weights, so large that texts differ from row to row."""
    frontend = {"stage": "Conv2dFrontEnd", "channels": [4], "kernels": [[3, 3]], "strides": [[4, 2]]}
    sizes = {"units": "characters", "embedding_size": 6, "hidden_size": 16}
    recipe = parse_recipe(
        {
            "data": {"train": "train.tsv"},
            "pipeline": {
                "features": [{"stage": "LineImage", "height": 12}],
                "frontend": frontend,
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 8, "layers": 1},
                "head": {"stage": "AttentionHead", **sizes, **head},
            },
            "decoding": decoding,
        },
        "a test",
    )
    pipeline = Pipeline(recipe)
    pipeline.fit([Row(str(number), *pair) for number, pair in enumerate(zip(INPUTS, TEXTS, strict=True))])
    with torch.no_grad():
        for parameter in pipeline.head.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    pipeline.eval()
    pipeline.save(folder)
    return folder


def both(folder: Path, output: Path, **options: Any) -> tuple[Predictor, Model]:
    export(folder, output, **options)
    return load(folder, device="cpu"), Model.load(output, threads=1)


def assert_equal(wanted: list[Any], found: list[Any]) -> None:
    for ours, theirs in zip(wanted, found, strict=True):
        assert ours.text == theirs.text
        assert abs(ours.confidence - theirs.confidence) < 1e-4
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)
        assert len(ours.alternatives) == len(theirs.alternatives)
        for one, other in zip(ours.alternatives, theirs.alternatives, strict=True):
            assert one.text == other.text
            assert abs(one.probability - other.probability) < 1e-4


BEAM = {"method": "beam", "n_best": 3, "beam": 4}
DECODERS: list[dict[str, Any]] = [
    {"attention": "dot", "tied": "none"},
    {"attention": "general", "cell": "gru", "layers": 2, "bridge": "ends", "input_feeding": True},
    {"attention": "bahdanau", "bridge": "zero", "layers": 2},
    {"attention": "location", "cell": "gru", "input_feeding": True},
    {"attention": "multi_head", "bridge": "ends"},
]


@pytest.mark.parametrize("head", DECODERS, ids=lambda head: head["attention"])
def test_every_kind_of_decoder_writes_and_says_what_the_head_does(head: dict[str, Any], tmp_path: Path) -> None:
    predictor, model = both(run_of(tmp_path / "run", head, BEAM), tmp_path / "exported")
    wanted = list(predictor.predict(INPUTS))
    assert len({answer.text for answer in wanted}) > 2
    assert_equal(wanted, list(model.predict(INPUTS)))
    pipeline, decoder = predictor.pipeline, model.head
    assert isinstance(decoder, AttentionDecoder)
    for raw, text in zip(INPUTS, TEXTS, strict=True):
        labels = pipeline.head.encode_target(text)
        with torch.inference_mode():
            encoded = pipeline(PaddedSequence.pad([pipeline.features.prepare(raw, None)]))
            distributions = pipeline.head(encoded, [labels]).values[0].numpy()
        (output,) = model.session.run([model.reader.prepare(raw)])
        assert np.abs(output - encoded.values[0, : len(output)].numpy()).max() < 1e-5
        assert np.abs(np.exp(decoder.distributions(output, labels.tolist())) - np.exp(distributions)).max() < 1e-5


SEARCHES: list[dict[str, Any]] = [
    {"method": "greedy"},
    {"method": "greedy", "min_length": 2, "no_repeat_ngram": 2, "max_ratio": 0.5},
    {"coverage_penalty": 0.3},
    {"length_normalization": "gnmt", "length_power": 0.6, "n_best": 6},
    {"length_normalization": "none", "min_length": 3, "no_repeat_ngram": 2, "max_length": 7},
    {"ctc_weight": 0.4, "n_best": 4},
    {"ctc_weight": 0.7, "length_normalization": "none", "beam": 10, "max_ratio": 1.0},
    {"ctc_weight": 0.5, "min_length": 40, "max_ratio": 3.0},  # fits into no row's steps by CTC
]


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of a head with CTC beside it, and what was exported of it."""
    folder = tmp_path_factory.mktemp("joint")
    run_of(folder / "run", {"ctc_weight": 0.5, "base_direction": "ltr"}, BEAM)
    export(folder / "run", folder / "exported")
    return folder / "run", folder / "exported"


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_every_search_finds_what_the_head_finds(joint: tuple[Path, Path], options: dict[str, Any]) -> None:
    wanted = list(load(joint[0], device="cpu", decoding=options).predict(INPUTS))
    found = list(Model.load(joint[1], threads=1, decoding=options).predict(INPUTS))
    assert_equal(wanted, found)


@pytest.mark.parametrize("temperature", [0.6, 1.7])
def test_a_temperature_changes_what_is_said_of_texts_alone(joint: tuple[Path, Path], temperature: float) -> None:
    predictor, model = load(joint[0], device="cpu"), Model.load(joint[1], threads=1)
    before = [answer.confidence for answer in model.predict(INPUTS)]
    predictor.pipeline.head.temperature = temperature
    assert isinstance(model.head, AttentionDecoder)
    model.head.temperature = temperature
    found = list(model.predict(INPUTS))
    assert_equal(list(predictor.predict(INPUTS)), found)
    assert [answer.confidence for answer in found] != before


def test_an_answer_depends_on_no_other_row(joint: tuple[Path, Path]) -> None:
    model = Model.load(joint[1], threads=1, decoding={"ctc_weight": 0.4})
    assert_equal(list(model.predict(INPUTS)), [next(model.predict([raw])) for raw in INPUTS])


def test_in_8_bits_rows_are_written_one_by_one(joint: tuple[Path, Path], tmp_path: Path) -> None:
    export(joint[0], tmp_path / "small", precision="int8")
    model = Model.load(tmp_path / "small", threads=1)
    together, alone = list(model.predict(INPUTS)), [next(model.predict([raw])) for raw in INPUTS]
    assert [replace(answer, id="") for answer in together] == [replace(answer, id="") for answer in alone]


def test_prefixes_by_ctc_are_those_of_the_search_in_torch() -> None:
    generator = torch.Generator().manual_seed(3)
    emissions = PaddedSequence.pad([torch.randn(steps, 5, generator=generator).log_softmax(-1) for steps in (7, 4)])
    wanted = TorchPrefixes(emissions)
    found = CTCPrefixes(emissions.values.numpy(), emissions.lengths.numpy())
    labels = np.array([[[1, 2, 4]], [[3, 1, 2]]])
    for origins, chosen in [([[0, 0], [0, 0]], [[1, 2], [3, 3]]), ([[0, 1], [1, 1]], [[1, 4], [3, 2]])]:
        flat = torch.from_numpy(labels.reshape(-1, labels.shape[-1]))
        assert found.extended(labels).reshape(flat.shape) == pytest.approx(wanted.extended(flat).numpy(), abs=1e-9)
        assert found.ended().ravel() == pytest.approx(wanted.ended().numpy(), abs=1e-9)
        width = labels.shape[1]
        places = torch.tensor([row * width + origin for row, own in enumerate(origins) for origin in own])
        wanted.choose(torch.arange(2), places, torch.tensor(chosen).flatten())
        found.choose(np.arange(2), np.array(origins), np.array(chosen))
        labels = np.array([[[1, 2], [2, 4]], [[3, 1], [3, 2]]])


@pytest.mark.parametrize(
    ("option", "value"),
    [("lm", "words.arpa"), ("hot_words", ["abc"]), ("hot_words_column", "names"), ("insertion_bonus", 0.5)],
)
def test_what_it_cant_search_by_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"decoding\.{option}: an exported model searches without it"):
        SearchOptions.of({"method": "beam", option: value})
    assert SearchOptions.of({"method": "greedy", option: value}).method == "greedy"  # which doesn't look at it


def test_drawing_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"decoding\.method: an exported model writes by greedy or beam; it is sample"
    ):
        SearchOptions.of({"method": "sample"})


def test_a_model_that_asks_for_more_is_not_exported(joint: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"decoding\.hot_words: an exported model searches without it"):
        export(joint[0], tmp_path / "exported", decoding={"method": "beam", "hot_words": ["ab"]})
    assert not (tmp_path / "exported").exists()


def test_each_graph_is_vouched_for(joint: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    folder.symlink_to(joint[1], target_is_directory=True)
    manifest = read_manifest(folder)
    assert {name: graph.file for name, graph in manifest.graphs.items()} == {
        "start": "head_start.onnx",
        "step": "head_step.onnx",
    }
    assert {graph.file for graph in manifest.graphs.values()} < set(manifest.files)
    content = json.loads((folder / "model.json").read_bytes())
    content["graphs"]["step"]["inputs"][0]["name"] = "first"
    copy = tmp_path / "altered"
    copy.mkdir()
    for path in joint[1].iterdir():
        (copy / path.name).symlink_to(path)
    (copy / "model.json").unlink()
    (copy / "model.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=r"head_step\.onnx: takes last .* isn't what the manifest says"):
        Model.load(copy)


def test_texts_are_written_without_torch(joint: tuple[Path, Path]) -> None:
    code = f"""
import sys
import numpy as np
import seqpipe.runtime
model = seqpipe.runtime.load({str(joint[1])!r}, decoding={{"ctc_weight": 0.4}})
(answer,) = model.predict([np.array({INPUTS[0].tolist()}, np.uint8)])
assert answer.text
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "scipy", "pydantic", "pandas", "lightning"} & set(done.stdout.split())
