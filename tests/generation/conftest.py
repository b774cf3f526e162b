"""Shared by the tests of generation: small models that were trained on nothing, and so say everything."""

from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe.config.recipe import parse_recipe
from seqpipe.data.rows import Row
from seqpipe.generation.run_model import TextModel
from seqpipe.pipeline import Pipeline

TEXTS = ["to be or not to be.", "That is the question. Whether 'tis nobler", "be\ngone"]
TOKENS: dict[str, dict[str, Any]] = {
    "characters": {"units": "characters"},
    "words": {"units": "words", "split": "punctuation"},
    "spelt words": {"units": "words", "characters": 5},
    "bpe": {"units": "bpe", "vocabulary_size": 30},
}


def made_pipeline(tokens: dict[str, Any], cell: str = "lstm") -> Pipeline:
    tree = {
        "features": [{"stage": "Tokens", **tokens}, {"stage": "Embedding", "size": 6}],
        "encoder": {"stage": "RecurrentEncoder", "bidirectional": False, "hidden_size": 10, "layers": 2, "cell": cell},
        "head": {"stage": "LanguageModelHead"},
    }
    made = Pipeline(parse_recipe({"data": {"input": "text"}, "pipeline": tree}, "test"))
    made.fit([Row(text, text, text) for text in TEXTS])
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


@pytest.fixture(scope="session", params=TOKENS)
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """A model of each kind of units."""
    return made_pipeline(TOKENS[request.param])


@pytest.fixture(scope="session")
def model(pipeline: Pipeline) -> TextModel:
    """The same, as what says what comes next."""
    return TextModel(pipeline)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a model of characters."""
    folder = tmp_path_factory.mktemp("generation") / "run"
    made_pipeline(TOKENS["characters"], "gru").save(folder)
    return folder
