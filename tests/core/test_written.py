"""Names that YAML would read as something else."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqpipe import ClassifierHead, ConfigError
from seqpipe.config.overrides import parse_override
from seqpipe.config.plain_yaml import PlainLoader
from seqpipe.config.recipe import Recipe, load_recipe, override_decoding
from seqpipe.core.written import unwritten
from seqpipe.evaluation.experiments.recipe_text import edited
from seqpipe.heads.class_weights import class_weights
from seqpipe.heads.classifier import ClassifierDecoding

WORDS = ["yes", "no", "on", "Off", "TRUE", "false", "007", "1_000", "0x1F", "1.0", "1.50", "-3", ".5", "1e+3", "12:30"]
WORDS += ["2020-01-01", "2020-13-45", ".inf", ".nan", "y", "plain"]

RECIPE = """
data: {{train: rows.tsv, input: text, target: no, id: on, columns: [{words}]}}
pipeline:
  features: [{{stage: Tokens}}, {{stage: Embedding, size: 4}}]
  head: {{stage: ClassifierHead, class_weights: {{{weights}}}}}
decoding: {{among: [{words}], top: 2}}
training: {{report: no, dry_run: off, learning_rate: 1.0e-2}}
search:
  training.report: [yes, no]
  pipeline.head.dropout: {{low: 0, high: 0.50}}
  decoding.among: [[yes, no], [plain]]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.format(words=", ".join(WORDS), weights=", ".join(f"{word}: 2" for word in WORDS)))
    return load_recipe(path)


def check(recipe: Recipe) -> None:
    head = recipe.pipeline.head.options
    assert list(head["class_weights"]) == WORDS
    assert recipe.decoding["among"] == WORDS
    assert recipe.data.columns == WORDS
    assert (recipe.data.target, recipe.data.id) == ("no", "on")
    assert (recipe.training.report, recipe.training.dry_run, recipe.training.learning_rate) == (False, False, 0.01)
    assert recipe.search["training.report"] == [True, False]
    assert recipe.search["decoding.among"] == [["yes", "no"], ["plain"]]


def test_names_of_classes_and_columns_are_what_was_written(recipe: Recipe, tmp_path: Path) -> None:
    check(recipe)
    (tmp_path / "again.yaml").write_text(recipe.dump())
    check(load_recipe(tmp_path / "again.yaml"))
    head = recipe.pipeline.head.build(None, input_size=4)
    head.fit(["yes", "no", *WORDS])
    assert set(class_weights(head.classes, head.class_weights).tolist()) == {2.0}


@pytest.mark.parametrize("word", WORDS)
def test_so_they_are_in_overrides(word: str, recipe: Recipe, tmp_path: Path) -> None:
    _, value = parse_override(f"decoding.among=[{word}]")
    assert override_decoding(recipe, {"among": value}).among == [word]  # type: ignore[attr-defined]
    overrides = [f"decoding.among=[plain, {word}]", f"data.target={word}", f"pipeline.head.class_weights={{{word}: 3}}"]
    again = load_recipe(tmp_path / "r.yaml", overrides)
    assert again.decoding["among"] == ["plain", word]
    assert again.data.target == word
    assert again.pipeline.head.options["class_weights"] == {word: 3.0}


def test_so_they_are_in_a_recipe_s_text_that_a_search_edits() -> None:
    _, value = parse_override("decoding.among=[yes, 2020-13-45, plain]")
    text = edited("decoding: {among: [a]}  # kept", {"decoding.among": unwritten(value)})
    assert text == "decoding: {among: ['yes', '2020-13-45', plain]}  # kept"


def test_from_python_numbers_and_truth_values_are_named_as_targets_are() -> None:
    weights: Any = {1: 2.0, 3.0: 2.0, False: 2.0, "a": 2.0}
    assert list(ClassifierHead(input_size=4, class_weights=weights).class_weights) == ["1", "3", "False", "a"]
    assert ClassifierDecoding(among=[1, 3.0, False, "a"]).among == ["1", "3", "False", "a"]  # type: ignore[list-item]


def test_what_is_no_name_is_refused(tmp_path: Path) -> None:
    text = RECIPE.format(words="a", weights="a: 1")
    (tmp_path / "r.yaml").write_text(text)
    for override in ("decoding.among=[[yes]]", "decoding.among=[null]", "data.target=[a]"):
        with pytest.raises(ConfigError, match="string"):
            load_recipe(tmp_path / "r.yaml", [override])
    with pytest.raises(ConfigError, match="received no"):
        load_recipe(tmp_path / "r.yaml", ["data.train=no"])


def test_values_are_those_of_yaml_otherwise() -> None:
    text = "{a: [yes, 007, 1.5, .inf, null, 0x1F, x], 1: {no: true}, ~: 3}"
    read = yaml.load(text, Loader=PlainLoader)
    assert read == {"a": [True, 7, 1.5, float("inf"), None, 31, "x"], "1": {"no": True}, "~": 3}
    for same in (copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
        assert same == read
        assert [item.written for item in same["a"][:2]] == ["yes", "007"]
    plain = unwritten(read)
    assert [type(item) for item in plain["a"]] == [str, int, float, float, type(None), int, str]
    assert plain["1"] == {"no": True}
    assert type(plain["1"]["no"]) is bool
    with pytest.raises(yaml.YAMLError, match="the key '1' stands here twice"):
        yaml.load("{1: a, '1': b}", Loader=PlainLoader)
