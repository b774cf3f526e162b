from pathlib import Path

import numpy as np
import torch

from seqpipe.core.language_model import LanguageModel
from seqpipe.core.language_model_files import load_language_model
from seqpipe.generation.run_model import TextModel
from seqpipe.generation.search_model import SearchModel


def test_it_is_a_language_model(model: TextModel) -> None:
    assert isinstance(SearchModel(model), LanguageModel)


def test_it_says_what_the_network_says(model: TextModel) -> None:
    ours = SearchModel(model)
    assert ours.vocabulary == model.vocabulary
    state, tensors = ours.initial_state(3), model.initial_state(3)
    for number in (0, -1, 2):
        units = np.array([number, 1, len(model.vocabulary) - 1])
        np.testing.assert_array_equal(ours.scores(state), model.scores(tensors).numpy())
        told = ours.scores_of(state, units)
        assert told.dtype == np.float32
        np.testing.assert_array_equal(told, model.scores_of(tensors, torch.from_numpy(units)).numpy())
        state, tensors = ours.advance(state, units), model.advance(tensors, torch.from_numpy(units))
        for part, other in zip(state, tensors, strict=True):
            np.testing.assert_array_equal(part, other.numpy())


def test_choosing_and_repeating_texts_is_indexing(model: TextModel) -> None:
    ours = SearchModel(model)
    state = ours.advance(ours.initial_state(2), np.array([0, 1]))
    chosen = tuple(part[[1, 0, 1]] for part in state)
    np.testing.assert_allclose(ours.scores(chosen), ours.scores(state)[[1, 0, 1]], atol=1e-5)


def test_a_run_directory_is_found_to_be_one(run: Path) -> None:
    found = load_language_model(run)
    assert isinstance(found, SearchModel)
    assert "▁" in found.vocabulary
