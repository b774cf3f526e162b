"""The promise of the whole library: in evaluation, padding and the rest of the batch never change an answer."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

import seqpipe
from seqpipe import FeatureChain, LineImage, LogMel, PaddedSequence, PenStrokes, Stage, StageConfig, Waveform
from seqpipe.core.head import ExportsGraphs
from seqpipe.core.onnx_graph import Form, OnnxGraph, Symbol
from seqpipe.core.stage import find_stage, stage_names
from seqpipe.errors import ConfigError
from seqpipe.features.text.tokens import Tokens
from seqpipe.layers.pooling import PoolingKind

pytestmark = pytest.mark.filterwarnings("ignore:n_fft=")  # librosa, of short rows

RATE = 8000
SIZE = 12
SAMPLES = [3000, 1, 777, 8000, 80, 4001]  # unsorted: one sample, less than a window, a multiple of the hop
STEPS = [5, 1, 37, 300, 2, 64] + [1, 9, 3, 12] * 5  # one row 300 times as long as others, more than 8 rows
COLUMNS = [40, 1, 7, 300, 64]
SENTENCE = "the of a Cat dog x antidisestablishmentarianism 3.5 don't naïve 日本 , ... U.S. running-water ab ba abc"
WORDS = SENTENCE.split()


@functools.cache
def tokens(characters: int = 9) -> Tokens:
    """Knows most of the words."""
    stage = Tokens(characters=characters, min_count=2)
    stage.fit([WORDS, WORDS[:-3]])
    return stage


UPSTREAM: dict[str, Callable[[], Stage]] = {
    "samples": lambda: Waveform(sample_rate=RATE),
    "steps": lambda: LogMel(sample_rate=RATE, n_mels=SIZE),
    "columns": lambda: LineImage(height=SIZE),
    "words": lambda: tokens(0),
    "spelt words": tokens,
    "points": PenStrokes,
}


@dataclass(frozen=True)
class Example:
    """A built-in stage with options.

    Attributes:
        takes: ``samples``, ``steps``, ``columns`` (of ink), ``words`` (their numbers), ``spelt words`` (with their
            characters') or ``points`` (of strokes).
        options: as in a recipe.
        fit: makes what `Stage.fit` is to learn from.
    """

    takes: str
    options: dict[str, Any]
    fit: Callable[[], Any] | None = None


def rows_of(takes: str) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    if takes == "samples":
        return [torch.linspace(0.01, 0.3, length) * torch.randn(length, generator=generator) for length in SAMPLES]
    if takes == "columns":
        return [torch.randint(256, (length, SIZE), generator=generator, dtype=torch.uint8) for length in COLUMNS]
    if takes in ("words", "spelt words"):
        places = [torch.randint(len(WORDS), (length,), generator=generator).tolist() for length in STEPS]
        rows = [tokens().prepare([WORDS[place] for place in row], None) for row in places]
        return rows if takes == "spelt words" else [row[:, 0] for row in rows]
    if takes == "points":
        return [points_of(length, generator) for length in STEPS]
    return [torch.randn(length, SIZE, generator=generator) for length in STEPS]


def points_of(length: int, generator: torch.Generator) -> Tensor:
    """A walk of the pen to the right, lifted now and then."""
    walk = (0.2 * torch.randn(length, 2, generator=generator) + torch.tensor([0.1, 0.0])).cumsum(dim=0)
    walk[:, 1] = walk[:, 1].sin()
    down = (torch.rand(length, generator=generator) > 0.1).float()
    down[0] = 0.0
    return torch.cat([torch.arange(length)[:, None], walk, down[:, None]], dim=1)


def recordings() -> list[dict[str, Any]]:
    return [{"array": row.numpy(), "sampling_rate": RATE} for row in rows_of("samples")]


def texts() -> list[str]:
    return ["turn left", "quiz"]


def classes() -> list[str]:
    return ["good", "bad", "neither"]


def tags() -> list[list[str]]:
    return [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC", "I-LOC", "I-LOC"]]


def batches_of_words() -> list[PaddedSequence]:
    return [PaddedSequence.pad([row]) for row in rows_of("words")]


WHOLE = [
    "Waveform",
    {"stage": "LogMel", "n_mels": 20},
    "Deltas",
    {"stage": "Normalization", "over": "global"},
    "SpecAugment",
]
EXAMPLES: dict[str, list[Example]] = {
    "Waveform": [Example("samples", {"sample_rate": RATE})],
    "TrimSilence": [Example("samples", {"top_db": 15.0})],
    "SpeedPerturbation": [Example("samples", {})],
    "TempoPerturbation": [Example("samples", {"probability": 1.0})],
    "PitchShift": [Example("samples", {"probability": 1.0})],
    "Reverberation": [Example("samples", {"probability": 1.0})],
    "Equalization": [Example("samples", {"probability": 1.0})],
    "AddNoise": [Example("samples", {"probability": 1.0})],
    "Gain": [Example("samples", {})],
    "AddSilence": [Example("samples", {})],
    "LevelNormalization": [Example("samples", {})],
    "LogMel": [
        Example("samples", {"n_mels": 20, "vtlp": [0.8, 1.2]}),
        Example("samples", {"hop_seconds": 0.0125, "window_seconds": 0.05}),
    ],
    "MFCC": [Example("samples", {"vtlp": [0.8, 1.2]}), Example("samples", {"deltas": 0, "top_db": 10.0})],
    "Pitch": [Example("samples", {}), Example("samples", {"method": "pyin", "hop_seconds": 0.05})],
    "Chroma": [Example("samples", {})],
    "Deltas": [Example("steps", {}), Example("steps", {"order": 1, "width": 7})],
    "Concatenation": [Example("samples", {"stages": ["LogMel", "MFCC"]}), Example("steps", {"stages": ["Deltas"]})],
    "FeatureDropout": [Example("steps", {"kind": kind}) for kind in ("steps", "elements")],
    "Normalization": [
        Example("steps", {}),
        Example("steps", {"variance": False}),
        Example("steps", {"over": "global"}, lambda: [PaddedSequence.pad(rows_of("steps"))]),
    ],
    "SpecAugment": [Example("steps", {})],
    "LineDistortion": [Example("steps", {"probability": 1.0})],
    "StrokeThickness": [Example("steps", {"probability": 1.0})],
    "InkIntensity": [Example("steps", {"probability": 1.0})],
    "ImageBlur": [Example("steps", {"probability": 1.0})],
    "ImageNoise": [Example("steps", {"probability": 1.0})],
    "RandomErasing": [Example("steps", {"probability": 1.0})],
    "PenStrokes": [Example("points", {})],
    "StrokeDistortion": [Example("points", {}), Example("points", {"drop": 0.3})],
    "StrokeFeatures": [
        Example("points", {}),
        Example("points", {"features": ["box", "vicinity", "context", "differences"], "cell": 0.1, "across": [0.0]}),
    ],
    "FeatureChain": [Example("samples", {"stages": WHOLE}, recordings)],
    "LineImage": [Example("columns", {"height": SIZE})],
    "Tokens": [Example("words", {}), Example("spelt words", {"characters": 9})],
    "Embedding": [Example("words", {"size": 5}), Example("spelt words", {"size": 5, "dropout": 0.3})],
    "OneHot": [Example("words", {}), Example("spelt words", {})],
    "CharacterFeatures": [
        Example("spelt words", {"filters": [5, 4], "kernels": [3, 4], "dropout": 0.2}),
        Example("spelt words", {"filters": [5, 4, 3], "kernels": [1, 2, 12]}),
        Example("spelt words", {"kind": "bilstm", "filters": [5]}),
    ],
    "AffixFeatures": [
        Example("spelt words", {"buckets": 64, "size": 4}),
        Example("spelt words", {"buckets": 64, "prefixes": [8], "suffixes": [], "shape_size": 0}),
    ],
    "NGramFeatures": [
        Example("words", {"orders": [1, 2, 3]}, batches_of_words),
        Example("spelt words", {"size": 4}, batches_of_words),
    ],
    "Conv2dFrontEnd": [
        Example("steps", {"channels": [4, 4]}),
        Example("steps", {"channels": [4], "kernels": [[4, 2]], "strides": [[3, 1]], "normalization": "layer"}),
        Example("steps", {"channels": [4, 4], "normalization": "none", "activation": "silu"}),
        Example("steps", {"channels": [4, 4], "pools": [[2, 2], [3, 2]], "collapse": "max", "dropout": 0.2}),
        Example("steps", {"channels": [4], "kernels": [[9, 3]], "pools": [[2, 2]], "normalization": "none"}),
    ],
    "Conv1dFrontEnd": [
        Example("steps", {"channels": [16, 8]}),
        Example("steps", {"channels": [16, 8], "kernels": [4, 3], "strides": [2, 3], "normalization": "layer"}),
        Example("steps", {"channels": [16, 8], "normalization": "none", "activation": "gelu"}),
    ],
    "Chain": [
        Example("steps", {"stages": [{"stage": "Conv2dFrontEnd", "channels": [4, 4]}, {"stage": "Conv1dFrontEnd"}]}),
        Example(
            "steps",
            {"stages": [{"stage": kind, "hidden_size": 8} for kind in ("PyramidalEncoder", "RecurrentEncoder")]},
        ),
    ],
    "RecurrentEncoder": [
        Example("steps", {"hidden_size": 16}),
        Example("steps", {"hidden_size": 16, "cell": "gru", "merge": "sum", "residual": True, "layer_norm": True}),
        Example("steps", {"hidden_size": 16, "cell": "rnn_tanh", "bidirectional": False}),
        Example("steps", {"hidden_size": 16, "cell": "rnn_relu", "layers": 1}),
        Example("steps", {"hidden_size": 16, "cell": "mingru", "residual": True, "layer_norm": True}),
        Example("steps", {"hidden_size": 16, "cell": "minlstm", "bidirectional": False, "chrono_steps": 50}),
    ],
    "PyramidalEncoder": [
        Example("steps", {"hidden_size": 16}),
        Example("steps", {"hidden_size": 8, "cell": "gru", "layers": 1, "factor": 3, "layer_norm": True}),
        Example("steps", {"hidden_size": 8, "layers": 3, "dropout": 0.2}),
        Example("steps", {"hidden_size": 8, "cell": "minlstm", "chrono_steps": 20}),
    ],
    "LogRatioFeatures": [
        Example("words", {}, lambda: (batches_of_words(), [number % 2 for number in range(len(STEPS))])),
        Example(
            "words", {"orders": [1, 3]}, lambda: (batches_of_words(), [number % 3 for number in range(len(STEPS))])
        ),
    ],
    "Parallel": [
        Example("steps", {"encoders": [{"stage": "RecurrentEncoder", "hidden_size": 4}] * 2, "dropout": 0.2}),
    ],
    "Bypass": [Example("steps", {"size": 4, "encoder": {"stage": "RecurrentEncoder", "hidden_size": 8}})],
    "ClassifierHead": [
        *(Example("steps", {"pooling": [kind]}, classes) for kind in get_args(PoolingKind)),
        Example("steps", {"pooling": ["mean", "attention"], "hidden_sizes": [6], "normalization": "batch"}, classes),
        Example("steps", {"pooling": ["max", "end"], "hidden_sizes": [6], "normalization": "layer"}, classes),
        Example("steps", {"members": 3}, classes),
    ],
    "TaggerHead": [
        Example("steps", {}, tags),
        Example("steps", {"scheme": "bio", "hidden_sizes": [6], "normalization": "batch"}, tags),
        Example("steps", {"decoder": "crf", "scheme": "bioes", "hidden_sizes": [6], "normalization": "layer"}, tags),
    ],
    "CTCHead": [
        Example("steps", {}, texts),
        Example("steps", {"units": "bpe", "vocabulary_size": 14}, texts),
    ],
    "AttentionHead": [
        Example("steps", {"units": "characters", "hidden_size": 8, "embedding_size": 6, **options}, texts)
        for options in (
            {"attention": "general", "bridge": "mean"},
            {"attention": "bahdanau", "bridge": "ends", "cell": "gru", "layers": 2},
            {"attention": "multi_head", "bridge": "zero", "input_feeding": True},
            {"attention": "location", "bridge": "mean"},
        )
    ],
    "LanguageModelHead": [Example("steps", {"dropout": 0.2}, texts)],
    "MultiLabelHead": [Example("steps", {"hidden_sizes": [8], "normalization": "layer"}, texts)],
    "RegressionHead": [
        Example("steps", {}, lambda: [1, 2]),
        Example("steps", {"loss": "huber"}, lambda: ["1 2", "3 0"]),
    ],
}
CASES = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name, examples in EXAMPLES.items()
    for number in range(len(examples))
]
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")],
    ),
]
TOLERANCE = {"cpu": 1e-5, "cuda": 1e-4}


@functools.cache
def built(name: str, number: int, device: str) -> Stage:
    """The example in evaluation, with parameters and running statistics that are not the initial ones."""
    example = EXAMPLES[name][number]
    torch.manual_seed(1)
    stage = StageConfig.parse({"stage": name, **example.options}).build(UPSTREAM[example.takes]())
    stage.build()
    if example.fit is not None:
        seen = example.fit()
        stage.fit(*seen) if getattr(stage, "needs_targets", False) else stage.fit(seen)
    with torch.no_grad():
        for parameter in stage.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        stage.train()(PaddedSequence.pad(rows_of(example.takes)))
    return stage.eval().to(device)


@torch.no_grad()
def one_by_one(stage: Stage, rows: list[Tensor], device: str) -> list[Tensor]:
    return [stage(PaddedSequence.pad([row]).to(device)).rows()[0].cpu() for row in rows]


@functools.cache
def expected(name: str, number: int, device: str) -> list[Tensor]:
    return one_by_one(built(name, number, device), rows_of(EXAMPLES[name][number].takes), device)


def assert_same(got: PaddedSequence, want: list[Tensor], tolerance: float) -> None:
    """Rows are equal to ``tolerance``, relative to a row's largest value where that is above 1."""
    assert len(got.rows()) == len(want)
    for position, (row, alone) in enumerate(zip(got.to("cpu").rows(), want, strict=True)):
        assert row.shape == alone.shape, f"row {position}"
        difference = float((row - alone).abs().max()) / max(1.0, float(alone.abs().max()))
        assert difference <= tolerance, f"row {position} of length {len(alone)} differs by {difference:.1e}"


def padded(rows: list[Tensor], more: int, garbage: float) -> PaddedSequence:
    """The rows with ``more`` steps of padding than needed, and ``garbage`` in all of it."""
    batch = PaddedSequence.pad(rows)
    batch = batch.extended(batch.values.shape[1] + more)
    if garbage and not batch.values.is_floating_point():
        garbage = min(10**12, torch.iinfo(batch.values.dtype).max)  # no number of a token or character, or black
    return batch.masked(garbage)


def test_every_built_in_stage_has_an_example() -> None:
    known = {name for name in stage_names() if find_stage(name).__module__.startswith("seqpipe.")}
    missing = (known | set(seqpipe.STAGES)) - EXAMPLES.keys()
    assert not missing, f"add options for {sorted(missing)} to EXAMPLES: every stage must pass the tests of this file"
    assert EXAMPLES.keys() <= known


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "number"), [case for case in CASES if getattr(find_stage(str(case.values[0])), "augments", False)]
)
def test_what_augments_leaves_a_batch_alone_in_evaluation(name: str, number: int) -> None:
    batch = PaddedSequence.pad(rows_of(EXAMPLES[name][number].takes))
    assert_same(built(name, number, "cpu")(batch), batch.rows(), 0.0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "number"), CASES)
class TestBatches:
    @torch.no_grad()
    def test_a_batch_gives_what_its_rows_give_alone(self, name: str, number: int, device: str) -> None:
        rows = rows_of(EXAMPLES[name][number].takes)
        got = built(name, number, device)(PaddedSequence.pad(rows).to(device))
        assert_same(got, expected(name, number, device), TOLERANCE[device])

    @torch.no_grad()
    def test_the_order_of_rows_changes_nothing(self, name: str, number: int, device: str) -> None:
        rows = rows_of(EXAMPLES[name][number].takes)
        by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for order in (by_length, by_length[::-1], list(range(len(rows)))[::-1]):
            got = built(name, number, device)(PaddedSequence.pad([rows[index] for index in order]).to(device))
            alone = expected(name, number, device)
            assert_same(got, [alone[index] for index in order], TOLERANCE[device])

    @torch.no_grad()
    @pytest.mark.parametrize(("more", "garbage"), [(1, 0.0), (250, 1e3), (21, float("nan"))])
    def test_padding_changes_nothing(self, more: int, garbage: float, name: str, number: int, device: str) -> None:
        batch = padded(rows_of(EXAMPLES[name][number].takes), more, garbage)
        got = built(name, number, device)(batch.to(device))
        assert_same(got, expected(name, number, device), TOLERANCE[device])

    @torch.no_grad()
    def test_output_lengths_are_those_of_the_output(self, name: str, number: int, device: str) -> None:
        stage = built(name, number, device)
        batch = PaddedSequence.pad(rows_of(EXAMPLES[name][number].takes)).to(device)
        promised, lengths = stage.output_lengths(batch.lengths), stage(batch).lengths
        assert lengths.dtype == torch.int64
        if name == "TrimSilence":  # what it cuts off depends on the sound: the promise is a bound
            assert (lengths <= promised).all()
            assert (lengths < promised).any()
        else:
            assert lengths.tolist() == promised.tolist()


NOT_IN_ONNX = {
    "TrimSilence": "can't be exported",
    "Pitch": "can't be exported",
    "Chroma": "can't be exported",
    "LanguageModelHead": "can't be exported",
}
"""Stages without a counterpart in ONNX, and what is said of them."""
GATED_BY_INPUT = {"mingru", "minlstm"}


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_graph_of_onnx_gives_what_rows_give_alone(name: str, number: int) -> None:
    example, stage = EXAMPLES[name][number], built(name, number, "cpu")
    graph = OnnxGraph()
    if name in NOT_IN_ONNX or example.options.get("cell") in GATED_BY_INPUT:
        with pytest.raises(ConfigError, match=NOT_IN_ONNX.get(name, "can't be exported with cell")):
            stage.to_onnx(graph, Symbol("values", "lengths"))
        return
    batch = padded(rows_of(example.takes), 7, float("nan"))
    found = stage.to_onnx(graph, Symbol("values", "lengths"))
    kind = str(batch.values.dtype).removeprefix("torch.")
    sizes: list[int | str] = ["rows", "steps", *batch.values.shape[2:]]
    sizes_out = ["rows", "steps_out", "features"][: expected(name, number, "cpu")[0].dim() + 1]
    outputs = {"output": (found.values, Form(kind if found.values == "values" else "float32", sizes_out))}
    outputs["output_lengths"] = (found.lengths, Form("int64", ["rows"]))
    if kind != "float32" and name == "Tokens":
        return  # it hands numbers on as they are
    content = graph.model({"values": Form(kind, sizes), "lengths": Form("int64", ["rows"])}, outputs, "test")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = {"values": batch.values.numpy(), "lengths": batch.lengths.numpy()}
    known = {each.name for each in session.get_inputs()}
    values, lengths = session.run(None, {key: value for key, value in given.items() if key in known})
    if isinstance(stage, ExportsGraphs):
        values, lengths = first_labels(stage, values, lengths)
    got = PaddedSequence(torch.from_numpy(values), torch.from_numpy(lengths))
    assert_same(got, expected(name, number, "cpu"), 3e-5)


def first_labels(stage: Any, encoded: Any, lengths: Any) -> tuple[Any, Any]:
    """What a decoder's own graphs say of each row's first label, which is what its `forward` gives without targets."""
    found = {"encoded": encoded, "lengths": lengths, "last": np.full((len(lengths), 1), stage.end)}
    for graph, inputs, outputs in stage.further_graphs(OnnxGraph).values():
        content = graph.model(inputs, outputs, "test")
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        found.update(zip(outputs, session.run(None, {key: found[key] for key in inputs}), strict=True))
    return found["logits"] - found["normalizer"][..., None], np.ones_like(lengths)


def test_an_example_that_breaks_the_promise_is_noticed() -> None:
    """The comparison itself: statistics over the padded batch must not pass."""
    rows = rows_of("steps")
    batch = PaddedSequence.pad(rows)
    wrong = PaddedSequence(batch.values - batch.values.mean(dim=1, keepdim=True), batch.lengths)
    with pytest.raises(AssertionError, match="differs by"):
        assert_same(wrong, [row - row.mean(dim=0) for row in rows], 1e-5)


# A linear layer takes another kernel at a batch of one row, which rounds to bf16 (8 bits) elsewhere; errors add up over
# layers. Relative to the largest value of a row.
BF16_TOLERANCE = 0.06


@torch.no_grad()
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("name", "number"), [case for case in CASES if find_stage(str(case.values[0])).role != "features"]
)
def test_bf16_keeps_the_promise_to_a_looser_tolerance(name: str, number: int, device: str) -> None:
    rows = rows_of("steps")
    stage = built(name, number, device)
    with torch.autocast(device, torch.bfloat16):
        got = stage(padded(rows, 21, float("nan")).to(device))
        alone = one_by_one(stage, rows, device)
    assert_same(got, [row.float() for row in alone], BF16_TOLERANCE)
    if stage.role == "head":
        assert got.values.dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("device", DEVICES)
def test_a_whole_chain_transcribes_alike_in_any_company(device: str) -> None:
    torch.manual_seed(3)
    features = FeatureChain(stages=WHOLE)
    features.fit(recordings())
    stages: list[Stage] = [features]
    for config in ({"stage": "Conv2dFrontEnd", "channels": [4, 4]}, {"stage": "RecurrentEncoder", "hidden_size": 16}):
        stages.append(StageConfig.parse(config).build(stages[-1]))
    head: Any = StageConfig.parse("CTCHead").build(stages[-1])
    head.fit(texts())
    head.output.weight.mul_(20.0)  # decided enough to emit labels
    chain = torch.nn.Sequential(*stages).eval().to(device)
    head.eval().to(device)
    rows = rows_of("samples")
    together = head.decode(chain(padded(rows, 333, float("nan")).to(device)))
    alone = [head.decode(chain(PaddedSequence.pad([row]).to(device)))[0] for row in rows]
    assert max(len(path.labels) for path, _ in alone) > 0
    for (path, confidence), (path_alone, confidence_alone) in zip(together, alone, strict=True):
        assert (path.labels, path.starts, path.stops) == (path_alone.labels, path_alone.starts, path_alone.stops)
        assert path.posteriors == pytest.approx(path_alone.posteriors, abs=TOLERANCE[device])
        assert confidence == pytest.approx(confidence_alone, rel=1e-3, abs=TOLERANCE[device])
