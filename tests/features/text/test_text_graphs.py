"""Features of texts as ONNX: what `forward` computes, in batches and one by one."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from seqpipe import PaddedSequence
from seqpipe.core.feature import Feature
from seqpipe.core.onnx_graph import Form, OnnxGraph, Precision, Symbol
from seqpipe.features.concatenation import Concatenation
from seqpipe.features.text.affix_features import AffixFeatures
from seqpipe.features.text.character_features import CharacterFeatures
from seqpipe.features.text.embedding import Embedding, OneHot
from seqpipe.features.text.log_ratio_features import LogRatioFeatures
from seqpipe.features.text.ngram_features import NGramFeatures
from seqpipe.features.text.tokens import Tokens
from seqpipe.features.text.word_pooling import pool_words

TEXTS = [
    "the cat sat",
    "The dog sat down",
    "A cat and a dog 12:30 on",
    "dogs sit",
    "the cat",
    "the",
    "naïve Cafés 日本",
]
LABELS = ["a", "b", "c", "a", "a", "b", "c"]
UNSEEN = ["the cat barks at the dogs of Łódź", "x", "down sat dog the", "Antidisestablishmentarianism sat"]

STAGES: dict[str, tuple[type[Feature], dict[str, Any], int]] = {
    "Embedding": (Embedding, {"size": 5}, 0),
    "Embedding beside characters": (Embedding, {"size": 5}, 4),
    "OneHot": (OneHot, {}, 0),
    "CharacterFeatures of one kernel": (CharacterFeatures, {"size": 4, "filters": [6], "kernels": [1]}, 5),
    "CharacterFeatures": (CharacterFeatures, {"size": 4, "filters": [6, 5], "kernels": [3, 4]}, 12),
    "CharacterFeatures, bilstm": (CharacterFeatures, {"size": 4, "filters": [6], "kind": "bilstm"}, 12),
    "AffixFeatures": (AffixFeatures, {"size": 3, "shape_size": 2, "buckets": 97}, 12),
    "AffixFeatures of short words": (AffixFeatures, {"size": 3, "shape_size": 2, "buckets": 2, "prefixes": [8]}, 2),
    "AffixFeatures of shapes": (AffixFeatures, {"prefixes": [], "suffixes": [], "shape_size": 4}, 20),
    "NGramFeatures": (NGramFeatures, {"size": 4, "orders": [1, 2, 3], "min_count": 1, "standard_deviation": 1.0}, 0),
    "NGramFeatures that are none": (NGramFeatures, {"size": 4, "orders": [4], "min_count": 5}, 3),
    "LogRatioFeatures": (LogRatioFeatures, {"orders": [1, 2, 3], "min_count": 1}, 0),
    "LogRatioFeatures that are none": (LogRatioFeatures, {"orders": [2], "min_count": 9}, 0),
}


def built(kind: str, labels: list[str]) -> tuple[Tokens, Feature]:
    stage, options, characters = STAGES[kind]
    tokens = Tokens(characters=characters, text=["lowercase"])
    tokens.fit(TEXTS)
    torch.manual_seed(1)
    made = stage(previous=tokens, **options)
    made.build()
    if made.needs_fit:
        made.fit([PaddedSequence.pad([tokens.prepare(text, None)]) for text in TEXTS], labels)
    return tokens, made.eval()


def session(tokens: Tokens, graph: OnnxGraph, found: Symbol, size: int) -> Any:
    inputs = {"values": tokens.onnx_input(), "lengths": Form("int64", ("rows",))}
    outputs = {
        "output": (found.values, Form("float32", ("rows", "steps", size))),
        "ends": (found.lengths, Form("int64", ("rows",))),
    }
    model = onnxruntime.InferenceSession(graph.model(inputs, outputs, "test"), providers=["CPUExecutionProvider"])
    return lambda batch: model.run(None, {"values": batch.values.numpy(), "lengths": batch.lengths.numpy()})


def exported(tokens: Tokens, stage: Feature, precision: Precision = "fp32") -> Any:
    graph = OnnxGraph(precision)
    found = stage.to_onnx(graph, tokens.to_onnx(graph, Symbol("values", "lengths")))
    return session(tokens, graph, found, stage.output_size)


@pytest.mark.parametrize("labels", [LABELS, ["a", "b"] * 3 + ["a"]])
@pytest.mark.parametrize("kind", STAGES)
def test_the_graph_is_forward_whatever_stands_in_the_padding(kind: str, labels: list[str]) -> None:
    tokens, stage = built(kind, labels)
    run = exported(tokens, stage)
    rows = [tokens.prepare(text, None) for text in [*TEXTS, *UNSEEN]]
    batch = PaddedSequence.pad(rows)
    batch = batch.masked(1)
    values, lengths = run(batch)
    with torch.no_grad():
        wanted = stage(batch).masked()
    assert lengths.tolist() == batch.lengths.tolist()
    for row, length, expected, alone in zip(values, lengths, wanted.values.numpy(), rows, strict=True):
        np.testing.assert_allclose(row[:length], expected[:length], atol=1e-5)
        np.testing.assert_allclose(run(PaddedSequence.pad([alone]))[0][0], expected[:length], atol=1e-5)


@pytest.mark.parametrize("kind", ["CharacterFeatures", "CharacterFeatures, bilstm"])
def test_in_8_bits_it_is_near(kind: str) -> None:
    tokens, stage = built(kind, LABELS)
    row = PaddedSequence.pad([tokens.prepare(TEXTS[2], None)])
    with torch.no_grad():
        wanted = stage(row).values.numpy()
    eight = exported(tokens, stage, "int8")(row)[0]
    assert 0 < np.abs(eight - wanted).max() < 0.1 * np.abs(wanted).max()


def test_tables_stay_what_they_are_in_8_bits() -> None:
    tokens, stage = built("Embedding", LABELS)
    row = PaddedSequence.pad([tokens.prepare(TEXTS[2], None)])
    assert np.array_equal(exported(tokens, stage, "int8")(row)[0], stage(row).values.detach().numpy())


def test_side_by_side_and_of_the_same_numbers() -> None:
    tokens = Tokens()
    tokens.fit(TEXTS)
    stage = Concatenation(
        previous=tokens,
        stages=[Embedding.configure(size=3), LogRatioFeatures.configure(min_count=1)],
    )
    stage.build()
    stage.fit([PaddedSequence.pad([tokens.prepare(text, None)]) for text in TEXTS], LABELS)
    stage.eval()
    batch = PaddedSequence.pad([tokens.prepare(text, None) for text in TEXTS])
    values = exported(tokens, stage)(batch)[0]
    wanted = stage(batch).masked()
    np.testing.assert_allclose(
        PaddedSequence(torch.from_numpy(values), batch.lengths).masked().values, wanted.values.detach(), atol=1e-5
    )


def test_affixes_hash_to_the_same_places_whatever_their_sum() -> None:
    """Sums wrap around, and are negative as often as not."""
    tokens = Tokens(characters=30)
    generator = np.random.default_rng(1)
    signs = [chr(0x4E00 + number) for number in range(800)]
    words = ["".join(generator.choice(signs, generator.integers(1, 30))) for _ in range(300)]
    tokens.fit([" ".join([*signs, *words])])
    stage = AffixFeatures(previous=tokens, size=1, shape_size=1, buckets=10_007)
    stage.build()
    for table in [*stage.affixes, stage.shapes]:
        assert isinstance(table, nn.Embedding)
        table.weight.data = torch.arange(10_007.0)[:, None]  # the place itself
    batch = PaddedSequence.pad([tokens.prepare(" ".join(words), None)])
    assert np.array_equal(exported(tokens, stage)(batch)[0], stage(batch).values.detach().numpy())


@pytest.mark.parametrize("how", ["mean", "max", "first", "last"])
def test_units_are_pooled_to_words(how: Any) -> None:
    tokens = Tokens(units="bpe", vocabulary_size=40, word_pooling=how)
    tokens.fit(TEXTS * 3)
    rows = [tokens.prepare(text, None) for text in [*TEXTS, *UNSEEN]]
    torch.manual_seed(2)
    batch = PaddedSequence.pad(rows)
    stage = Embedding(previous=tokens, size=6)
    stage.build()
    graph = OnnxGraph()
    prepared = Symbol("values", "lengths")
    found = tokens.pool_to_onnx(graph, prepared, stage.to_onnx(graph, tokens.to_onnx(graph, prepared)))
    run = session(tokens, graph, found, 6)
    with torch.no_grad():
        wanted = pool_words(stage(batch), batch.values[..., 1], how)
    values, lengths = run(PaddedSequence(batch.masked(1).values, batch.lengths))
    assert lengths.tolist() == wanted.lengths.tolist() == [len(text.split()) for text in [*TEXTS, *UNSEEN]]
    for row, length, expected, alone in zip(values, lengths, wanted.values.numpy(), rows, strict=True):
        np.testing.assert_allclose(row[:length], expected[:length], atol=1e-5)
        np.testing.assert_allclose(run(PaddedSequence.pad([alone]))[0][0], expected[:length], atol=1e-5)
