"""What the page's scripts make of a model's output, beside the runtime's heads."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe.answers.tagging import tagged
from seqpipe.core.calibration import Calibration, ConfidenceMap
from seqpipe.export.web.learnt import describe_head
from seqpipe.heads.tagger import TaggerHead
from seqpipe.runtime.heads.tags import Tagger
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
def test_the_error_function_is_pythons() -> None:
    values = [0.0, 1e-9, 0.1, 0.5, 1.0, 2.0, 4.0, 30.0]
    found = in_node("heads/numbers.js", "given.map(m.erf)", values)
    np.testing.assert_allclose(found, [math.erf(value) for value in values], atol=2e-7)
