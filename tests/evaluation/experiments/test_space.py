from pathlib import Path

import optuna
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.config.recipe import load_recipe, recipe_folders
from seqpipe.errors import ConfigError
from seqpipe.evaluation.experiments.space import SearchSpace, short

SEARCHED = sorted(
    {
        str(path.relative_to(folder).with_suffix(""))
        for folder in recipe_folders()
        for path in folder.rglob("*.yaml")
        if "search" in yaml.safe_load(path.read_text(encoding="utf-8"))
    }
)


def space(text: str, *overrides: str) -> SearchSpace:
    return SearchSpace(load_recipe("speech/starter", [f"search={text}", *overrides]))


@pytest.mark.parametrize("name", SEARCHED)
def test_what_a_shipped_recipe_searches_is_there_and_its_own_values_are_among_it(name: str) -> None:
    found = SearchSpace(load_recipe(name))
    assert found.inside().keys() == found.own.keys()


def test_some_shipped_recipes_can_be_searched() -> None:
    assert {"speech/starter", "speech/an4"} <= set(SEARCHED)


def test_values_are_drawn_inside_and_stand_in_the_recipe() -> None:
    found = space(
        "{training.learning_rate: {low: 0.00123456, high: 0.01, log: true}, pipeline.encoder.layers: {low: 2, high: 4},"
        " pipeline.encoder.dropout: {low: 0.1, high: 0.4, step: 0.05}, pipeline.frontend.strides: [[[1, 2], [1, 2]],"
        " [[3, 2], [1, 2]]], pipeline.features.SpecAugment.time_masks: [1, 3], training.clip_norm: [null, 5.0]}"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        values = found.draw(study.ask())
        recipe = found.recipe_with(values)
        assert 0.00123456 <= recipe.training.learning_rate <= 0.01
        assert recipe.pipeline.encoder.options["layers"] in (2, 3, 4)
        assert round(recipe.pipeline.encoder.options["dropout"] / 0.05, 9).is_integer()
        assert recipe.pipeline.frontend.dump()["strides"] == values["pipeline.frontend.strides"]
        assert recipe.pipeline.features.options["stages"][-1].options["time_masks"] in (1, 3)
        assert recipe.training.clip_norm in (None, 5.0)
        assert all(len(str(value)) < 12 for value in values.values() if isinstance(value, float))


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.floats(0, 1))
def test_rounding_never_leaves_the_range(one: float, other: float, share: float) -> None:
    low, high = sorted((one, other))
    value = min(high, low + share * (high - low))
    assert low <= short(value, low, high) <= high
    assert short(value, low, high) == pytest.approx(value, rel=1e-3)


def test_own_values_outside_are_known() -> None:
    text = "{training.learning_rate: {low: 0.1, high: 0.2}, training.epochs: {low: 10, high: 20, step: 5}, "
    found = space(text + "pipeline.encoder.layers: {low: 1, high: 4}, training.precision: [bf16]}")
    assert found.own["training.epochs"] == 18
    assert found.inside() == {"pipeline.encoder.layers": 2}


MISTAKES = [
    (
        "{training.learning_rat: [1]}",
        r"training\.learning_rat is not in the recipe: training has no learning_rat; did you mean learning_rate\?",
    ),
    (
        "{trainig.learning_rate: [1]}",
        r"trainig\.learning_rate is not in the recipe: it has no trainig; did you mean training\?",
    ),
    ("{pipeline.encoder.layrs: [1]}", r"pipeline\.encoder has no layrs; did you mean layers\?"),
    ("{pipeline.features.SpecAugmnt.time_masks: [1]}", r"SpecAugmnt in pipeline\.features is not there; did you mean"),
    ("{pipeline.features.SpecAugment.masks: [1]}", r"pipeline\.features\.SpecAugment has no masks; did you mean"),
    ("{training.epochs.most: [1]}", r"training\.epochs is 18 and has no most"),
    ("{search: [1]}", r"it has no search"),
    ("{pipeline.encoder.layers: {low: 0, high: 2}}", r"layers can't be 0: pipeline\.encoder\.layers .*greater than"),
    ("{pipeline.encoder.cell: [lstm, gruu]}", r"cell can't be 'gruu': pipeline\.encoder\.cell .*received 'gruu'"),
    ("{training.epochs: {low: 1.0, high: 2.5}}", r"epochs can't be 2\.5: training\.epochs .*integer"),
    ("{}", r"search is required"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_what_can_not_be_searched_is_told_before_the_search(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        space(text)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        space("{training.epoch: [1], pipeline.encoder.layers: [0, 2]}")
    assert len(caught.value.problems) == 2


def test_training_takes_no_notice_of_a_search_that_does_not_fit(tmp_path: Path) -> None:
    recipe = load_recipe("speech/starter", ["search={pipeline.encoder.nothing: [1]}"])
    (tmp_path / "recipe.yaml").write_text(recipe.dump(), encoding="utf-8")
    assert load_recipe(tmp_path).search == {"pipeline.encoder.nothing": [1]}
