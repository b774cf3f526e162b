from pathlib import Path

import pytest
import torch

from seqpipe.core.language_model_files import load_language_model
from seqpipe.errors import ConfigError, InputError
from seqpipe.generation.run_model import TextModel, load_text_model
from seqpipe.pipeline import Pipeline

TEXT = "be or that."


def test_unit_by_unit_a_text_is_as_probable_as_the_run_says(model: TextModel, pipeline: Pipeline) -> None:
    units = model.units_of(TEXT)
    state, total = model.initial_state(1), 0.0
    for unit in units:
        total += float(model.scores_of(state, torch.tensor([unit])))
        state = model.advance(state, torch.tensor([unit]))
    total += float(model.scores(state)[0, model.end])
    prepared = pipeline.features.prepare(TEXT, None)
    (answer,) = pipeline.answer_batch(["a"], [TEXT], [prepared])
    assert total == pytest.approx(answer.log_probability, abs=1e-4)
    assert model.log_probabilities([units], model.initial_state(1)) == [pytest.approx(total, abs=1e-4)]


def test_of_all_units_with_the_unknown_one_there_is_one(model: TextModel) -> None:
    state = model.read(model.units_of("to be"), model.initial_state(1))
    known = model.scores(state)
    assert known.shape == (1, len(model.vocabulary) + 1)
    assert known.dtype == torch.float32
    unknown = model.scores_of(state, torch.tensor([-1]))
    assert float(known.exp().sum() + unknown.exp()) == pytest.approx(1.0, abs=1e-5)


def test_a_batch_gives_what_its_texts_give_alone(model: TextModel) -> None:
    torch.manual_seed(1)
    paths = torch.randint(-1, len(model.vocabulary), (7, 4))
    together = model.initial_state(7)
    for units in paths.T:
        together = model.advance(together, units)
    for row, path in enumerate(paths):
        alone = model.initial_state(1)
        for unit in path:
            alone = model.advance(alone, unit[None])
        assert torch.allclose(model.scores(together)[row], model.scores(alone)[0], atol=1e-5)
        chosen = tuple(part[[row, 0, row]] for part in together)  # choosing and repeating texts is indexing
        assert torch.allclose(model.scores(chosen)[2], model.scores(alone)[0], atol=1e-5)


def test_read_is_many_steps_at_once(model: TextModel) -> None:
    units = model.units_of(TEXT)
    state = model.initial_state(1)
    for unit in units:
        state = model.advance(state, torch.tensor([unit]))
    for one, other in zip(model.read(units, model.initial_state(1)), state, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert model.read([], state) is state


def test_units_read_as_the_text(model: TextModel) -> None:
    assert model.text_of(model.units_of("to be or not")) == "to be or not"
    assert not any(" " in unit for unit in model.vocabulary)


def test_replies_of_different_lengths_are_scored_alike_together_and_alone(model: TextModel) -> None:
    state = model.read(model.units_of("to"), model.initial_state(1))
    texts = [model.units_of(text) for text in ("be", "that is the question.", "or not")]
    alone = [model.log_probabilities([text], state)[0] for text in texts]
    assert model.log_probabilities(texts, state) == pytest.approx(alone, abs=1e-4)


def test_a_run_of_another_task_is_refused(tmp_path: Path) -> None:
    from seqpipe.config.recipe import parse_recipe
    from seqpipe.data.rows import Row

    tree = {"features": ["Tokens", "Embedding"], "head": {"stage": "ClassifierHead"}}
    other = Pipeline(parse_recipe({"pipeline": tree}, "test"))
    other.fit([Row("1", "good", "a"), Row("2", "bad", "b")])
    other.save(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"run: a language model is wanted.*ClassifierHead"):
        load_language_model(tmp_path / "run")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"should be .*a run directory of the language task"):
        load_language_model(tmp_path)


def test_characters_that_the_model_lacks_are_named(run: Path) -> None:
    found = load_text_model(run)
    with pytest.raises(InputError, match=r"holds 'X', 'é', which the model's \d+ units lack"):
        found.units_of("Xé be")
    assert found.units_of("be é", unknown=True)[-1] == -1
