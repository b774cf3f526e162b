"""What answers rest on; of models that are linear in the words it is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqpipe.config.recipe import Recipe
from seqpipe.data.rows import Row
from seqpipe.evaluation.report.saliency import ATTENTION, GRADIENT, saliency, strengths
from seqpipe.evaluation.scores.evaluate import evaluate
from seqpipe.pipeline import Pipeline

TEXTS = ["a good film", "good", "so bad it is a bad film", "the unknown ones are so so", "not a bad film at all"]
LABELS = ["good", "good", "bad", "bad", "good"]


def fitted(*features: dict[str, Any], encoder: bool = True, **head: Any) -> Pipeline:
    """A pipeline with parameters from a seed."""
    pipeline: dict[str, Any] = {"features": list(features), "head": {"stage": "ClassifierHead", **head}}
    if encoder:
        pipeline["encoder"] = {"stage": "RecurrentEncoder", "hidden_size": 6, "layers": 2}
    made = Pipeline(Recipe.model_validate({"data": {}, "pipeline": pipeline}))
    made.fit([Row(str(place), text, label) for place, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))])
    return made.eval()


EMBEDDED = ({"stage": "Tokens"}, {"stage": "Embedding", "size": 5})


def test_the_decisive_word_of_a_linear_model_comes_first(mood_run: Path) -> None:
    pipeline = Pipeline.load(mood_run)
    for text, decisive in (("not a good film", "good"), ("it is so bad", "bad"), ("not so", "not")):
        kind, (found,) = strengths(pipeline, [text])
        assert kind == GRADIENT
        assert found is not None
        assert text.split()[int(found.argmax())] == decisive
    _, (found,) = strengths(pipeline, ["not a good film"])
    assert found is not None
    # The gradient of the log-odds of two classes is the weight over the number of words.
    assert found.tolist() == pytest.approx([0.25, 0.0, 1.5, 0.0], abs=1e-6)


@pytest.mark.parametrize(
    "pipeline",
    [
        pytest.param(lambda: fitted(*EMBEDDED), id="gradient"),
        pytest.param(lambda: fitted(*EMBEDDED, pooling=["attention", "max"]), id="attention"),
        pytest.param(
            lambda: fitted({"stage": "Tokens", "units": "characters"}, {"stage": "Embedding", "size": 4}),
            id="characters",
        ),
        pytest.param(
            lambda: fitted(
                {"stage": "Tokens", "units": "unigram", "vocabulary_size": 24, "word_pooling": "mean"},
                {"stage": "Embedding", "size": 4},
            ),
            id="subwords of words",
        ),
    ],
)
def test_every_item_has_a_strength_that_the_batch_does_not_change(pipeline: Any) -> None:
    made = pipeline()
    kind, together = strengths(made, TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        again, (alone,) = strengths(made, [text])
        assert found is not None
        assert alone is not None
        assert again == kind
        assert len(found) == len(made.features.reader.source(text).items)
        assert (found >= 0).all()
        assert found.max() > 0
        np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-6)


def test_attention_is_shown_where_the_head_has_it() -> None:
    kind, found = strengths(fitted(*EMBEDDED, pooling=["attention"]), TEXTS)
    assert kind == ATTENTION
    for row in found:
        assert row is not None
        assert row.sum() == pytest.approx(1.0, abs=1e-5)


def test_gradients_are_left_nowhere_and_inference_goes_on_as_before() -> None:
    made = fitted(*EMBEDDED)
    with torch.inference_mode():
        _, found = strengths(made, TEXTS[:1])
    assert found[0] is not None
    assert all(parameter.grad is None for parameter in made.parameters())


def test_texts_are_whole_and_their_strongest_word_has_strength_one(mood_run: Path, tag_run: Path) -> None:
    found = evaluate(mood_run, device="cpu")
    kind, shown = saliency(found, 4)
    assert kind == GRADIENT
    assert [row.right for row in shown] == [False, False, True, True]
    assert shown[0].reference == "bad"
    texts = {row.id: row.input for row in found.rows}
    for row in shown:
        assert "".join(gap + word for gap, word, _ in row.parts) + row.rest == texts[row.id]
        assert max(strength for _, _, strength in row.parts) == 1.0
    assert saliency(evaluate(tag_run, device="cpu"))[1] == []
