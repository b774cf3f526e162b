"""Models of texts without torch, beside the chains that they were exported from."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe.answers.failure import Failure
from seqpipe.config.recipe import parse_recipe
from seqpipe.core.onnx_graph import Precision
from seqpipe.data.rows import Row
from seqpipe.errors import ConfigError
from seqpipe.export.export import export
from seqpipe.inference.predictor import Predictor, load
from seqpipe.inference.slot import Pause
from seqpipe.pipeline import Pipeline
from seqpipe.runtime.model import Model

ROWS: list[Any] = [
    "The cat sat on the well-known mat",
    "a dog and a cat ran home at 12:30",
    "Dogs don't sit, cats do!",
    "the naïve café in New York",
    "the dog sat",
    "Anna met Boris in Paris",
]
TEXTS: list[Any] = [
    *ROWS,
    "Zebras met the dog in a café , don't they ?  Yes",
    "x",
    "dog dog dog the the cat " * 4,
    "Łódź",
    ["New", "York", "is", "a.b", "far"],
]
CLASSES = ["good", "bad", "ok", "good", "bad", "ok"]
LABELS = ["rain|wind", "", "wind", ["sun"], "rain", "sun|rain"]
NUMBERS = ["1 20", [3.0, -7.5], "5 0", "2 2", "1 1", "7 100"]
TAGS = [["DET" if word in ("the", "a") else "X" if len(word) > 3 else "Y" for word in row.split()] for row in ROWS]
SPANS = [["O"] * len(row.split()) for row in ROWS]
SPANS[3][4:] = ["B-LOC", "I-LOC"]
SPANS[5][0], SPANS[5][2], SPANS[5][4] = "B-PER", "B-PER", "B-LOC"
SPANS[1][1:3] = ["B-PER", "I-PER"]

_POOLED = ["max", "mean", "end", "attention", "root"]
KINDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[Any]]] = {
    "classes, ratios and signs": (
        [
            {"stage": "Tokens", "split": "signs", "text": ["lowercase"], "max_length": 10, "overflow": "truncate"},
            {
                "stage": "Concatenation",
                "stages": [{"stage": "Embedding", "size": 6}, {"stage": "LogRatioFeatures", "min_count": 1}],
            },
        ],
        {"stage": "ClassifierHead", "pooling": _POOLED, "hidden_sizes": [7]},
        CLASSES,
    ),
    "classes of an ensemble": (
        [{"stage": "Tokens"}, {"stage": "Embedding", "size": 6}],
        {"stage": "ClassifierHead", "members": 2},
        CLASSES,
    ),
    "labels of characters": (
        [{"stage": "Tokens", "units": "characters", "text": ["nfkc", "collapse_spaces"]}, {"stage": "OneHot"}],
        {"stage": "MultiLabelHead"},
        LABELS,
    ),
    "numbers of n-grams": (
        [
            {"stage": "Tokens", "units": "unigram", "vocabulary_size": 50},
            {
                "stage": "Concatenation",
                "stages": [{"stage": "NGramFeatures", "min_count": 1, "size": 5}, {"stage": "Embedding", "size": 3}],
            },
        ],
        {"stage": "RegressionHead"},
        NUMBERS,
    ),
    "tags of parts of speech": (
        [{"stage": "Tokens"}, {"stage": "Embedding", "size": 6}],
        {"stage": "TaggerHead"},
        TAGS,
    ),
    "spans by softmax, characters, affixes": (
        [
            {"stage": "Tokens", "characters": 8},
            {
                "stage": "Concatenation",
                "stages": [
                    {"stage": "Embedding", "size": 6},
                    {"stage": "CharacterFeatures", "size": 4, "filters": [3, 3], "kernels": [2, 3]},
                    {"stage": "CharacterFeatures", "size": 4, "filters": [3], "kind": "bilstm"},
                    {"stage": "AffixFeatures", "size": 3, "buckets": 64},
                ],
            },
            {"stage": "FeatureDropout"},
        ],
        {"stage": "TaggerHead", "scheme": "bio"},
        SPANS,
    ),
    "spans by a CRF in BIOES": (
        [{"stage": "Tokens"}, {"stage": "Embedding", "size": 6}],
        {"stage": "TaggerHead", "scheme": "bioes", "decoder": "crf"},
        SPANS,
    ),
    "spans by a CRF, units pooled": (
        [
            {"stage": "Tokens", "units": "bpe", "vocabulary_size": 50, "word_pooling": "mean"},
            {"stage": "Embedding", "size": 6},
        ],
        {"stage": "TaggerHead", "scheme": "bio", "decoder": "crf"},
        SPANS,
    ),
}
"""Features, head and targets of `ROWS`."""


def recipe_of(kind: str) -> dict[str, Any]:
    """A recipe's content."""
    features, head, _ = KINDS[kind]
    encoder = {"stage": "RecurrentEncoder", "hidden_size": 6, "layers": 1}
    return {"data": {"train": "none.tsv"}, "pipeline": {"features": features, "encoder": encoder, "head": head}}


Probabilities = list[float]


def saved(kind: str, folder: Path) -> Path:
    """A run with random weights, which is sure of something."""
    pipeline = Pipeline(parse_recipe(recipe_of(kind), "a test"))
    torch.manual_seed(3)
    targets = KINDS[kind][2]
    pipeline.fit([Row(str(place), raw, target) for place, (raw, target) in enumerate(zip(ROWS, targets, strict=True))])
    with torch.no_grad():
        for name, parameter in pipeline.head.named_parameters():
            if name.endswith(("output.weight", "transitions", "start", "end", "spread.weight")):
                parameter.copy_(2 * torch.randn_like(parameter))
    pipeline.eval()
    pipeline.save(folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(request.param, tmp_path_factory.mktemp("run"))


def exported(run: Path, precision: Precision = "fp32", **settings: Any) -> Model:
    folder = run / f"exported-{precision}"
    if not folder.exists():
        export(run, folder, precision=precision)
    return Model.load(folder, threads=1, **settings)


def parted(value: Any) -> tuple[Any, Probabilities]:
    """An answer as it would be written, without its numbers, and these."""
    if isinstance(value, dict):
        pairs = {key: parted(part) for key, part in value.items() if key not in ("start", "end", "truncated")}
        whole = {key: value[key] for key in ("start", "end", "truncated") if key in value}
        return {**whole, **{key: pair[0] for key, pair in pairs.items()}}, [
            number for pair in pairs.values() for number in pair[1]
        ]
    if isinstance(value, list):
        parts = [parted(part) for part in value]
        return [part[0] for part in parts], [number for part in parts for number in part[1]]
    return (None, [value]) if isinstance(value, float) else (value, [])


def same(answers: list[Any], others: list[Any], tolerance: float) -> None:
    for answer, other in zip(answers, others, strict=True):
        (said, numbers), (wanted, expected) = parted(answer.to_json()), parted(other.to_json())
        assert said == wanted
        np.testing.assert_allclose(numbers, expected, rtol=1e-4, atol=tolerance)


def test_answers_are_those_of_the_chain(run: Path) -> None:
    predictor, model = load(run, device="cpu"), exported(run)
    inputs = [raw for raw in TEXTS if isinstance(raw, str) or predictor.pipeline.features.reader.words_are_steps]
    same(list(model.predict(inputs)), list(predictor.predict(inputs)), 1e-4)
    assert len({json.dumps(parted(answer.to_json())[0]) for answer in model.predict(inputs)}) > 2


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_an_answer_does_not_depend_on_its_company(run: Path, precision: Precision) -> None:
    model = exported(run, precision)
    inputs = [raw for raw in TEXTS if isinstance(raw, str)]
    together = [replace(answer, id="") for answer in model.predict(inputs * 3)]
    alone = [replace(next(model.predict([raw])), id="") for raw in inputs]
    same(together, alone * 3, 1e-5)
    if precision == "int8":
        assert together == alone * 3


def test_what_cannot_be_read_is_a_failure_in_its_place(run: Path) -> None:
    answers = list(exported(run).predict(["the cat sat", "", "a\0b", 3, "a dog"]))
    assert [getattr(answer, "kind", None) for answer in answers] == [None, "empty", "bad value", "bad value", None]
    assert isinstance(answers[3], Failure)
    assert "a text (or a list of words) is wanted" in answers[3].message


@pytest.fixture(scope="module")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lambda kind: saved(kind, tmp_path_factory.mktemp("run"))


OPTIONS: dict[str, list[dict[str, Any]]] = {
    "classes, ratios and signs": [{"top": 1}, {"among": ["bad", "ok"]}, {"among": ["ok"], "top": 5}],
    "labels of characters": [{"threshold": 0.9}],
    "tags of parts of speech": [{"n_best": 3}],
    "spans by softmax, characters, affixes": [{"n_best": 4}],
    "spans by a CRF, units pooled": [{"n_best": 5}],
}


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_options_of_decoding_and_temperatures(make_run: Any, kind: str, temperature: float) -> None:
    run = make_run(kind)
    exported(run)
    for options in OPTIONS[kind]:
        predictor, model = load(run, device="cpu", decoding=options), exported(run, decoding=options)
        head = predictor.pipeline.head
        if kind != "labels of characters":
            head.temperature = temperature
            model.head.temperature = temperature  # type: ignore[attr-defined]
        same(list(model.predict(TEXTS[:6])), list(predictor.predict(TEXTS[:6])), 1e-4)


@pytest.mark.parametrize(
    ("kind", "decoding", "said"),
    [
        ("classes, ratios and signs", {"among": ["bad", "okay"]}, r"decoding\.among: 'okay' is none .*did you mean ok"),
        ("classes, ratios and signs", {"among": []}, r"decoding\.among: should be a list of classes"),
        ("classes, ratios and signs", {"top": 0}, r"decoding\.top: .*at least 1; received 0"),
        ("labels of characters", {"threshold": 1.0}, r"decoding\.threshold: should be between 0 and 1; received 1"),
        ("tags of parts of speech", {"n_best": 0}, r"decoding\.n_best: .*at least 1; received 0"),
    ],
)
def test_wrong_options_are_refused(make_run: Any, kind: str, decoding: dict[str, Any], said: str) -> None:
    run = make_run(kind)
    with pytest.raises(ConfigError, match=said):
        exported(run, decoding=decoding)


def test_long_texts_are_cut_off_and_say_so(make_run: Any) -> None:
    run = make_run("classes, ratios and signs")
    predictor, model = load(run, device="cpu"), exported(run)
    long = ["the cat sat " * 9]
    answers = list(model.predict(long))
    assert answers[0].truncated == 17
    same(answers, list(Predictor(predictor.pipeline, device="cpu").predict(long)), 1e-4)
    (slot,) = [slot for group in model.groups(long) if not isinstance(group, Pause) for _, slot in group]
    assert [kind for kind, _ in slot.warnings] == ["truncated"]


FOREIGN = (
    "torch torchaudio lightning pandas librosa pydantic scipy pyarrow datasets sklearn matplotlib numba safetensors"
)


@pytest.mark.parametrize("kind", ["classes, ratios and signs", "spans by a CRF, units pooled", "numbers of n-grams"])
def test_nothing_heavy_is_imported(make_run: Any, kind: str) -> None:
    run = make_run(kind)
    wanted = [answer.to_json() for answer in exported(run).predict(TEXTS[:2])]
    code = f"""
import json, sys
import seqpipe.runtime
model = seqpipe.runtime.load({str(run / "exported-fp32")!r}, threads=1)
answers = [answer.to_json() for answer in model.predict({TEXTS[:2]!r})]
print(json.dumps({{"answers": answers, "heavy": [name for name in {FOREIGN.split()!r} if name in sys.modules]}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert found["answers"] == wanted
