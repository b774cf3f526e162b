"""What is known of finished trainings: `recipes/TASK/results/RECIPE.json`, and what tools/results.yaml says of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from seqpipe.config.plain_yaml import read_yaml
from seqpipe.config.recipe import Recipe, Section, load_recipe
from seqpipe.core.files import write_json
from seqpipe.core.head import find_head
from seqpipe.core.options import config_model
from seqpipe.core.stage import StageConfig, find_stage
from seqpipe.errors import ConfigError
from seqpipe.training.resume import HARMLESS

Record = dict[str, Any]
INCIDENTAL = HARMLESS | {
    *("data.root", "training.seed", "training.threads", "training.device", "training.precision"),
}
"""Keys that don't change what is learnt, or that each seed's record has by itself."""


class Part(Section):
    """A further evaluation of every run.

    Attributes:
        part: of the recipe's data.
        where: ``COLUMN=VALUE,...``, as of ``seqpipe evaluate``; all rows when null.
        decoding: overrides.
        main, further: see `Entry`.
    """

    part: str = "dev"
    where: str | None = None
    decoding: list[str] = Field([])
    main: str
    further: str = ""


class Folds(Section):
    """A cross-validation in the place of a training: its options."""

    group: str
    folds: int


class Entry(Section):
    """What tools/results.yaml says of a recipe.

    Attributes:
        main: how the score that counts is shown: ``WER {wer} %``; ``{wer:.1f}`` has one decimal in the place of two.
        further: other scores, shown in the same way.
        dev: what is scored, in words.
        what: the recipe in some words, for the table of the README; it isn't in that table without.
        seeds: that its row should have.
        parts: further evaluations of the recipe's own row, by name; not of a cross-validation.
        after: a recipe whose run of the same seed has to be there first ...
        overrides: ... and what a training needs of it: ``{run}`` stands for its folder.
        folds: of a cross-validation.
    """

    main: str
    further: str = ""
    dev: str = ""
    what: str | None = None
    seeds: int = 3
    parts: dict[str, Part] = Field({})
    after: str | None = None
    overrides: list[str] = Field([])
    folds: Folds | None = None


class Results:
    """The records below a folder of recipes.

    Args:
        recipes: with a folder for each task.
        tables: what is shown of which recipe (tools/results.yaml).
    """

    def __init__(self, recipes: Path, tables: Path) -> None:
        self.recipes, self.tables = recipes, tables
        self.entries = TypeAdapter(dict[str, Entry]).validate_python(read_yaml(tables))

    def entry(self, recipe: str) -> Entry:
        if recipe not in self.entries:
            raise ConfigError(f"{self.tables}: has no {recipe}; it has {', '.join(self.entries)}")
        return self.entries[recipe]

    def recipe_file(self, recipe: str) -> Path:
        return self.recipes / f"{recipe}.yaml"

    def path(self, recipe: str) -> Path:
        task, _, name = recipe.partition("/")
        return self.recipes / task / "results" / f"{name}.json"

    def rows(self, recipe: str) -> list[Record]:
        """Rows of a recipe: its own, which has no name, and those that something else was tried for."""
        path = self.path(recipe)
        return list(json.loads(path.read_text(encoding="utf-8"))["rows"]) if path.is_file() else []

    def row(self, recipe: str, name: str | None) -> Record | None:
        return next((row for row in self.rows(recipe) if row["name"] == name), None)

    def put(self, recipe: str, row: Record) -> None:
        """Write a row in the place of the one of its name."""
        row = {**row, "seeds": sorted(row["seeds"], key=lambda seed: seed["seed"])}
        rows = self.rows(recipe)
        names = [other["name"] for other in rows]
        if row["name"] in names:
            rows[names.index(row["name"])] = row
        else:
            rows.append(row)
        rows.sort(key=lambda row: row["name"] is not None)
        self.path(recipe).parent.mkdir(exist_ok=True)
        write_json(self.path(recipe), {"recipe": recipe, "rows": rows})

    def load(self, recipe: str, overrides: Sequence[str] = (), parent: Path | None = None) -> Recipe:
        """A recipe as it is trained, from the run ``parent`` if it comes after another one."""
        needed = [override.replace("{run}", str(parent or "PARENT")) for override in self.entry(recipe).overrides]
        return load_recipe(self.recipe_file(recipe), [*needed, *overrides])

    def sha256(self, recipe: str, overrides: Sequence[str] = ()) -> str:
        """`recipe_sha256` of a recipe as it stands now."""
        after = self.entry(recipe).after
        return recipe_sha256(self.load(recipe, overrides), self.sha256(after) if after else None)

    def is_stale(self, recipe: str, row: Record) -> bool:
        """Whether a row was measured with other values than the recipe has now, or nobody knows."""
        try:
            return bool(row["recipe_sha256"] != self.sha256(recipe, row["overrides"] or ()))
        except ConfigError:  # what was overridden is no longer there
            return True


def recipe_sha256(recipe: Recipe, parent: str | None = None) -> str:
    """Of all that decides what is learnt: values that aren't defaults, so that a new option changes nothing.

    Args:
        recipe: as resolved.
        parent: what stands for ``training.init_from``, whose path says nothing.

    Returns:
        The first 16 hexadecimal digits.
    """
    training, data = (
        {
            key: value
            for key, value in getattr(recipe, section).model_dump(mode="json", exclude_defaults=True).items()
            if f"{section}.{key}" not in INCIDENTAL
        }
        for section in ("training", "data")
    )
    if recipe.training.init_from is not None:
        training["init_from"] = parent
    if "distill_from" in training:  # by the names of recipe and seed; where they lie is this machine's
        training["distill_from"] = ["/".join(Path(run).parts[-2:]) for run in training["distill_from"]]
    decoding = find_head(recipe.pipeline.head.name).decoding.model_fields
    parts = {
        "data": data,
        "pipeline": {name: _value(getattr(recipe.pipeline, name)) for name in type(recipe.pipeline).model_fields},
        "training": training,
        "decoding": {key: _value(value) for key, value in recipe.decoding.items() if value != decoding[key].default},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _value(value: Any) -> Any:
    if isinstance(value, StageConfig):
        stage = find_stage(value.name)
        fields = config_model(stage).model_fields
        chosen = {key: _value(option) for key, option in value.options.items() if option != fields[key].default}
        return {"stage": value.name, "version": stage.version, **chosen}
    if isinstance(value, dict):
        return {key: _value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(inner) for inner in value]
    return value.name if isinstance(value, Path) else value
