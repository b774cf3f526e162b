"""What the page's scripts make of a model's output, beside the runtime's heads."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe.answers.tagging import tagged
from seqpipe.core.calibration import Calibration, ConfidenceMap
from seqpipe.decoding.spans import spans_of
from seqpipe.export.web.learnt import describe_head
from seqpipe.heads.tagger import TaggerHead
from seqpipe.runtime.heads.classes import Classifier, MultiLabel
from seqpipe.runtime.heads.tags import Tagger
from seqpipe.runtime.search import SearchOptions, restrained
from seqpipe.text.classes import Classes
from seqpipe.text.splitting import split_words

from .javascript import assert_alike, in_node, needs_node


@needs_node
@pytest.mark.parametrize("temperature", [1.0, 1.8])
@pytest.mark.parametrize(
    ("decoder", "scheme"), [("crf", "bio"), ("crf", "bioes"), ("softmax", "bio"), ("softmax", "none"), ("crf", "none")]
)
def test_tags_are_those_of_the_runtime(decoder: Any, scheme: Any, temperature: float, tmp_path: Path) -> None:
    generator = np.random.default_rng(7)
    head = TaggerHead(input_size=4, decoder=decoder, scheme=scheme)
    head.fit([["B-PER", "I-PER", "O", "B-A-B", "I-A-B", "B-PER"], ["O", "B", "I", "B-LOC"]])
    with torch.no_grad():
        for name, values in head.named_parameters():
            if name in ("transitions", "start", "end"):
                values.copy_(torch.from_numpy(generator.standard_normal(values.shape)))
    head.save_assets(tmp_path)
    np.savez(tmp_path / "arrays.npz", allow_pickle=False, **head.export_arrays())
    count = len(head.classes.names)
    rows = [3 * generator.standard_normal((steps, count)).astype(np.float32) for steps in (1, 2, 3, 8, 8, 30, 60)]
    if decoder == "softmax":
        rows = [row - np.log(np.exp(row).sum(axis=1, keepdims=True)) for row in rows]
    texts = [" ".join(f"w{place}" for place in range(len(row))) for row in rows]
    items = [split_words(text, "whitespace") for text in texts]
    maps = {
        "answers": ConfidenceMap(0.8, 1.2, 0.1, {"log_words": (0.5, 1.0)}),
        "spans": ConfidenceMap(0.7, 0.9, -0.2, {"log_words": (-0.3, 0.4)}),
    }
    options = {"decoder": decoder, "scheme": scheme}
    runtime = Tagger(options, tmp_path, {"n_best": 1}, temperature)
    wanted = [
        Calibration(temperature, maps).apply(tagged("", path, words, text, 0))
        for path, words, text in zip(runtime.decode(rows), items, texts, strict=True)
    ]
    found = in_node(
        "heads/tags.js",
        "given.rows.map((row, at) => m.answer({values: Float32Array.from(row), size: given.size},"
        " {manifest: given.manifest, page: {head: given.head},"
        " prepared: {text: given.texts[at], items: given.items[at]}}))",
        {
            "rows": [row.ravel().tolist() for row in rows],
            "size": count,
            "head": describe_head(head),
            "texts": texts,
            "items": [[item._asdict() for item in words] for words in items],
            "manifest": {
                "calibration": {
                    "temperature": temperature,
                    "maps": {name: {**each.__dict__, "features": dict(each.features)} for name, each in maps.items()},
                }
            },
        },
    )
    for each, answer in zip(found, wanted, strict=True):
        assert_alike(each, answer.to_json())
    assert scheme == "none" or sum(len(answer.spans) for answer in wanted) > 20


@needs_node
def test_spans_are_read_as_conlleval_does() -> None:
    generator = np.random.default_rng(8)
    tags = ["O", "B", "I", "E-", "B-PER", "I-PER", "E-PER", "S-PER", "U-X", "L-X", "I-X-Y", "-X-", "PER", ""]
    rows = [generator.choice(tags, generator.integers(0, 9)).tolist() for _ in range(2000)]
    found = in_node("heads/spans.js", "given.map(tags => m.spansOf(tags).map(s => [s.type, s.first, s.stop]))", rows)
    assert found == [[list(span) for span in spans_of(row)] for row in rows]


@needs_node
@pytest.mark.parametrize("temperature", [1.0, 1.8])
@pytest.mark.parametrize("among", [None, ["a", "c", "d"]])
def test_classes_are_those_of_the_runtime(temperature: float, among: Any, tmp_path: Path) -> None:
    Classes(["a", "b", "c", "d"], [1, 1, 1, 1]).save(tmp_path)
    rows = np.random.default_rng(9).standard_normal((20, 1, 4)).astype(np.float32)
    rows[0, 0, 2] = rows[0, 0, 0]  # of equal ones the first
    rows = rows - np.log(np.exp(rows).sum(axis=2, keepdims=True))
    decoding = {"top": 4, "among": among, "threshold": 0.6}
    manifest = {"decoding": decoding, "calibration": {"temperature": temperature, "maps": {}}}
    for module, runtime in (
        ("classes", Classifier({}, tmp_path, decoding, temperature)),
        ("labels", MultiLabel({}, tmp_path, decoding, 1.0)),
    ):
        found = in_node(
            f"heads/{module}.js",
            "given.rows.map(row => m.answer({values: Float32Array.from(row), size: 4},"
            " {manifest: given.manifest, page: {head: {names: ['a', 'b', 'c', 'd']}}}))",
            {"rows": rows[:, 0].tolist(), "manifest": manifest},
        )
        answers = [runtime.answer("", each, SimpleNamespace(truncated=0)) for each in runtime.decode(list(rows))]  # type: ignore[arg-type]
        for each, answer in zip(found, answers, strict=True):
            assert len(each["probabilities"]) == len(answer.probabilities)
            assert_alike(each, answer.to_json(), 1e-6)


@needs_node
def test_what_may_be_written_next_is_that_of_the_runtime() -> None:
    generator, given, wanted = np.random.default_rng(10), [], []
    for _ in range(300):
        logits = generator.standard_normal(4).astype(np.float32)
        labels = generator.integers(0, 3, generator.integers(0, 8))
        options = {"min_length": int(generator.integers(0, 5)), "no_repeat_ngram": int(generator.integers(0, 4))}
        at_limit = bool(generator.random() < 0.2)
        given.append([logits.tolist(), labels.tolist(), 3, at_limit, options])
        found = restrained(
            logits[None, None],
            labels[None, None],
            end=3,
            at_limit=np.array([at_limit]),
            options=SearchOptions(**options),  # type: ignore[arg-type]
        )
        wanted.append([None if value == -np.inf else value for value in found[0, 0].tolist()])
    assert in_node("heads/written.js", "given.map(each => m.restrained(...each))", given) == wanted
    assert any(None in row for row in wanted)


@needs_node
def test_the_error_function_is_pythons() -> None:
    values = [0.0, 1e-9, 0.1, 0.5, 1.0, 2.0, 4.0, 30.0]
    found = in_node("heads/numbers.js", "given.map(m.erf)", values)
    np.testing.assert_allclose(found, [math.erf(value) for value in values], atol=2e-7)
