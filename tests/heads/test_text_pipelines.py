"""Heads at the end of a whole chain over text: tokens, embeddings, recurrent layers."""

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe import Pipeline, Predictor, Recipe, Row
from seqpipe.answers.classification import Classification
from seqpipe.answers.tagging import Tagging

SENTENCE = "the old cat sat on a very small red mat while dogs in New York barked at Paris"
WORDS = SENTENCE.split()
TEXTS = [" ".join(random.Random(seed).choices(WORDS, k=1 + 3 * (seed % 7))) for seed in range(40)]
UNITS: dict[str, dict[str, Any]] = {
    "words": {"units": "words", "characters": 4},
    "bpe": {"units": "bpe", "vocabulary_size": 40, "word_pooling": "mean"},
}
HEADS: dict[str, dict[str, Any]] = {
    "classes": {"stage": "ClassifierHead", "pooling": ["mean", "max", "end", "attention"]},
    "labels": {"stage": "MultiLabelHead"},
    "numbers": {"stage": "RegressionHead", "hidden_sizes": [4]},
    "tags": {"stage": "TaggerHead"},
    "spans": {"stage": "TaggerHead", "scheme": "bioes", "decoder": "crf"},
}


def target(kind: str, text: str) -> Any:
    words = text.split()
    if kind == "classes":
        return "long" if len(words) > 8 else "short"
    if kind == "labels":
        return [word for word in ("cat", "mat") if word in words]
    if kind == "numbers":
        return [len(words), words.count("the") - 0.5]
    if kind == "tags":
        return ["NAME" if word.istitle() else "WORD" for word in words]
    return ["I-LOC" if word in ("York", "Paris", "New") else "O" for word in words]  # begins with I-, as in 2003


@cache
def pipeline(units: str, kind: str) -> Pipeline:
    """Fitted, with weights that are decided enough to give different answers."""
    recipe = Recipe.model_validate(
        {
            "data": {"input": "text", "target": "label"},
            "pipeline": {
                "features": [{"stage": "Tokens", **UNITS[units]}, {"stage": "Embedding", "size": 8}],
                "encoder": {"stage": "RecurrentEncoder", "hidden_size": 6, "layers": 1},
                "head": HEADS[kind],
            },
        }
    )
    built = Pipeline(recipe)
    built.fit([Row(str(place), text, target(kind, text)) for place, text in enumerate(TEXTS)])
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.6 * torch.randn_like(parameter))
    return built.eval()


def answers(built: Pipeline, texts: Sequence[Any], **settings: Any) -> list[Any]:
    rows = [Row(str(place), text) for place, text in enumerate(texts)]
    return list(Predictor(built, device="cpu", **settings).predict(rows))


def assert_close(one: Any, other: Any) -> None:
    """Equal but for the last digits of numbers."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_close(left, right)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=2e-5)
    else:
        assert one == other


BOTH = [pytest.param(units, kind, id=f"{units}-{kind}") for units in UNITS for kind in HEADS]


@pytest.mark.parametrize(("units", "kind"), BOTH)
def test_an_answer_does_not_depend_on_its_company(units: str, kind: str) -> None:
    built = pipeline(units, kind)
    together = answers(built, TEXTS)
    alone = [answers(built, [text])[0] for text in TEXTS[:12]]
    order = random.Random(0).sample(range(len(TEXTS)), len(TEXTS))
    shuffled = dict(zip(order, answers(built, [TEXTS[place] for place in order], batch_steps=60), strict=True))
    for place, answer in enumerate(together):
        record = {**answer.to_json(), "id": ""}
        if place < len(alone):
            assert_close(record, {**alone[place].to_json(), "id": ""})
        assert_close(record, {**shuffled[place].to_json(), "id": ""})
    assert len({json.dumps({**answer.to_json(), "id": ""}) for answer in together}) > 20


@pytest.mark.parametrize(("units", "kind"), BOTH)
def test_what_is_loaded_answers_bit_for_bit_the_same(units: str, kind: str, tmp_path: Path) -> None:
    built = pipeline(units, kind)
    built.save(tmp_path)
    assert answers(Pipeline.load(tmp_path), TEXTS) == answers(built, TEXTS)


@pytest.mark.parametrize(("units", "kind"), BOTH)
def test_targets_fit_what_the_features_make_of_texts_and_lists_of_words(units: str, kind: str) -> None:
    built = pipeline(units, kind)
    for texts in (TEXTS[:6], [text.split() for text in TEXTS[:6]]):
        targets = [target(kind, text) for text in TEXTS[:6]]
        found = answers(built, texts)
        counts = built.head.metric.count(targets, found)
        assert set(built.head.metric.scores(counts.sum(axis=0))) == set(built.head.metric.kinds)
        assert ((built.head.metric.errors(counts) == 0) == (counts[:, 1] == 1)).all()


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize(
    "raw",
    ["  New York\t and\u00a0 Paris ", "the \U0001f408\u200d\u2b1b sat", ["New", "York", "sat"], "Ça va, New\u2028York"],
)
def test_words_and_spans_stand_where_they_say(units: str, raw: Any) -> None:
    text = " ".join(raw) if isinstance(raw, list) else raw
    for kind in ("tags", "spans"):
        (found,) = answers(pipeline(units, kind), [raw])
        assert isinstance(found, Tagging)
        assert [word.text for word in found.words] == (raw if isinstance(raw, list) else raw.split())
        for part in (*found.words, *found.spans):
            assert text[part.start : part.end] == part.text
            assert part.text.strip() == part.text


@pytest.mark.parametrize("units", UNITS)
def test_a_span_of_several_words_is_the_text_between_them(units: str) -> None:
    spans = [
        (span.text, text[span.start : span.end])
        for text in ("a  New   York ", *TEXTS)
        for span in answers(pipeline(units, "spans"), [text])[0].spans
    ]
    assert all(one == other for one, other in spans)
    assert any(" " in one for one, _ in spans)


@pytest.mark.parametrize("units", UNITS)
def test_what_is_cut_off_is_said(units: str) -> None:
    recipe = pipeline(units, "tags").recipe.model_dump()
    recipe["pipeline"]["features"][0].update(max_length=3, overflow="truncate")
    for kind, options in HEADS.items():
        recipe["pipeline"]["head"] = options
        built = Pipeline(Recipe.model_validate(recipe))
        built.fit([Row(str(place), text, target(kind, text)) for place, text in enumerate(TEXTS)])
        (found,) = answers(built.eval(), ["the old cat sat"])
        assert found.truncated == 1
        if isinstance(found, Tagging):
            assert [word.text for word in found.words] == ["the", "old", "cat"]


def test_the_confidence_of_a_class_is_its_share_among_all() -> None:
    for found in answers(pipeline("words", "classes"), TEXTS):
        assert isinstance(found, Classification)
        assert sum(item.probability for item in found.probabilities) == pytest.approx(1)
        assert found.confidence == max(item.probability for item in found.probabilities)
