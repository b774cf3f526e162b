from pathlib import Path
from typing import Any

import pytest
import yaml

from seqpipe.config.recipe import load_recipe, recipe_folders
from seqpipe.config.search_space import Range
from seqpipe.errors import ConfigError

SHIPPED = sorted({str(path.relative_to(folder)) for folder in recipe_folders() for path in folder.rglob("*.yaml")})


def spaces(text: str) -> dict[str, Any]:
    """The search section of the starter recipe, with this one instead of its own."""
    return load_recipe("speech/starter", [f"search={text}"]).search


def test_ranges_are_whole_where_their_bounds_are() -> None:
    found = spaces("{a: {low: 2, high: 4}, b: {low: 0.1, high: 1}, c: {low: 1, high: 3, step: 0.5}, d: [1, x, null]}")
    assert [found[name].whole for name in "abc"] == [True, False, False]
    assert found["d"] == [1, "x", None]


def test_a_number_without_a_point_before_its_exponent_is_a_number_here_too() -> None:
    assert yaml.safe_load("1e-3") == "1e-3"
    assert spaces("{a: {low: 1e-3, high: 1e-1, log: true}}")["a"] == Range(low=1e-3, high=0.1, log=True)


def test_a_dump_holds_the_same_spaces(tmp_path: Path) -> None:
    recipe = load_recipe(
        "speech/starter", ["search={a: {low: 2, high: 4}, b: {low: 1e-3, high: 1.0, log: true}, c: [[1], [2]]}"]
    )
    (tmp_path / "dump.yaml").write_text(recipe.dump(), encoding="utf-8")
    again = load_recipe(tmp_path / "dump.yaml")
    assert again == recipe
    assert again.search["a"].whole


MISTAKES = [
    ("{a: {low: 2, high: 1}}", r"search\.a low should be below high; received low 2, high 1"),
    ("{a: {low: 1, high: 1}}", r"search\.a low should be below high"),
    ("{a: {low: 0, high: 1, log: true}}", r"search\.a low should be above 0 where log is true; received 0"),
    ("{a: {low: 1, high: 9, log: true, step: 1}}", r"search\.a step and log can't be given both"),
    ("{a: {low: 0, high: 1, step: 2}}", r"search\.a step should be above 0 and fit .*; received 2"),
    ("{a: {low: 0, high: 1, step: -1}}", r"search\.a step should be above 0"),
    ("{a: {lo: 0, high: 1}}", r"search\.a\.lo is not known; did you mean low\?"),
    ("{a: {high: 1}}", r"search\.a\.low is required"),
    ("{a: {low: few, high: 1}}", r"search\.a\.low should be a finite number; received 'few'"),
    ("{a: {low: .nan, high: 1}}", r"search\.a\.low should be a finite number; received nan"),
    ("{a: {low: false, high: 1}}", r"search\.a\.low should be a finite number; received False"),
    ("{a: []}", r"search\.a should be a range, .* or a list of choices; received \[\]"),
    ("{a: 5}", r"search\.a should be a range, .* or a list of choices; received 5"),
    ("{a: [1, 2, 1]}", r"search\.a holds a choice twice"),
    ("5", r"search .*; received 5"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_with_its_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?m)starter\.yaml: {message}"):
        spaces(text)
