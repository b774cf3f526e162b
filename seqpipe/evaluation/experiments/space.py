"""The search space of a recipe: checked against it, drawn from, and put into it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from seqpipe.config.overrides import set_value
from seqpipe.config.recipe import Recipe, parse_recipe
from seqpipe.config.search_space import Range
from seqpipe.errors import ConfigError, did_you_mean

DIGITS = 4
"""Significant digits of the numbers that are tried: more say nothing, and are tedious in a recipe."""


class SearchSpace:
    """What may be tried for a recipe.

    Args:
        recipe: with a ``search:`` section.

    Attributes:
        own: the recipe's own value of each key path.

    Raises:
        ConfigError: there is nothing to search, a key path is not in the recipe (the nearest key is named), or one of
            its values could never stand there. All mistakes are told at once.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._tree = recipe.model_dump(mode="json")
        if not recipe.search:
            raise ConfigError(
                "search is required: the values to try, e.g. search: {training.learning_rate: {low: 0.001, high: 0.01, "
                "log: true}}"
            )
        self.own: dict[str, Any] = {}
        problems: list[tuple[tuple[str, ...], str]] = []
        for path, space in recipe.search.items():
            try:
                self.own[path] = _look_up(self._tree, path)
            except ConfigError as error:
                problems += error.within("search", path).problems
                continue
            for value in (space.low, space.high) if isinstance(space, Range) else space:
                try:
                    self.recipe_with({path: value})
                except ConfigError as error:
                    problems += [
                        (("search", path), f"can't be {value!r}: {'.'.join(place)} {message}")
                        for place, message in error.problems
                    ]
        if problems:
            raise ConfigError(problems)

    def recipe_with(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with other values; raises `ConfigError` if they can't stand together."""
        tree = copy.deepcopy(self._tree)
        for path, value in values.items():
            set_value(tree, path, value, path)
        return parse_recipe(tree, "")

    def draw(self, trial: Any) -> dict[str, Any]:
        """Values that an Optuna trial suggests."""
        return {path: self._draw(trial, path, space) for path, space in self.recipe.search.items()}

    def _draw(self, trial: Any, path: str, space: Range | list[Any]) -> Any:
        if not isinstance(space, Range):
            by_name = {choice_name(choice): choice for choice in space}
            return by_name[trial.suggest_categorical(path, list(by_name))]
        if space.whole:
            return trial.suggest_int(path, space.low, space.high, log=space.log, step=space.step or 1)
        found = trial.suggest_float(path, space.low, space.high, log=space.log, step=space.step)
        return short(found, space.low, space.high)

    def inside(self) -> dict[str, Any]:
        """The recipe's own values as Optuna names them, without those that lie outside their space."""
        return {
            path: choice_name(value) if isinstance(space, list) else value
            for path, space in self.recipe.search.items()
            if _contains(space, value := self.own[path])
        }


def short(value: float, low: float, high: float) -> float:
    """The value to four significant digits, still between ``low`` and ``high``."""
    return min(max(float(f"{value:.{DIGITS}g}"), float(low)), float(high))


def choice_name(choice: Any) -> Any:
    """A choice as a study can keep it: lists and mappings as JSON."""
    return json.dumps(choice) if isinstance(choice, (list, dict)) else choice


def _contains(space: Range | list[Any], value: Any) -> bool:
    if isinstance(space, list):
        return value in space
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not space.low <= value <= space.high:
        return False
    step = space.step or (1 if space.whole else 0)
    return not step or abs((value - space.low) / step - round((value - space.low) / step)) < 1e-8


def _look_up(tree: dict[str, Any], path: str) -> Any:
    """What stands at a key path.

    Raises:
        ConfigError: nothing does; the nearest key is named.
    """
    at: Any = tree
    keys = path.split(".")
    for depth, key in enumerate(keys):
        place = ".".join(keys[:depth])
        if isinstance(at, dict) and key in at and key != "search":
            at = at[key]
        elif isinstance(at, dict):
            near = did_you_mean(key, [name for name in at if name not in ("search", "stage")])
            raise ConfigError(f"is not in the recipe: {place or 'it'} has no {key}{near}")
        elif isinstance(at, list):
            names = [item.get("stage", "") if isinstance(item, dict) else "" for item in at]
            if re.fullmatch(r"[0-9]{1,9}", key) and int(key) < len(at):
                at = at[int(key)]
            elif names.count(key) == 1:
                at = at[names.index(key)]
            else:
                why = "stands there twice; give its position" if key in names else "is not there"
                near = did_you_mean(key, filter(None, names))
                raise ConfigError(f"is not in the recipe: {key} in {place} {why}{near}")
        else:
            raise ConfigError(f"is not in the recipe: {place} is {at!r} and has no {key}")
    return at
