"""``seqpipe check``: every row of a recipe looked at as training would, before training does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seqpipe.checks.comparison import compare
from seqpipe.checks.findings import Findings
from seqpipe.checks.part import Part, read_part
from seqpipe.config.recipe import Recipe, load_recipe
from seqpipe.core.head import find_head
from seqpipe.data.records import manifest_kind
from seqpipe.data.rows import Row
from seqpipe.data.source import data_root, is_there
from seqpipe.errors import ConfigError, DataError, InputError
from seqpipe.pipeline import Pipeline


def check(recipe: Recipe, source: str | None = None, *, progress: bool = False) -> dict[str, Findings]:
    """Read every input, encode every target, and look at them beside each other.

    Args:
        recipe: whose training rows give the vocabulary, and what is usual. Its ``data.check`` says whether inputs are
            read whole, or their headers alone.
        source: looked at instead of the recipe's own train, dev and test parts.
        progress: show it on standard error, if that is a terminal.

    Returns:
        What was found, by part (or source).

    Raises:
        DataError: a source can't be opened, lacks a column, or no training row can be used.
    """
    config = recipe.data
    root = data_root(config)
    pipeline = Pipeline(recipe)

    def read(name: str, part: str, folder: Path | None) -> Part:
        return read_part(
            name,
            part,
            config,
            pipeline.features,
            root=folder,
            max_length=config.max_length if name == "train" else None,
            empty_targets=find_head(recipe.pipeline.head.name).allows_empty_targets,
            progress=progress,
        )

    # First, since it is what was asked for: if it isn't there, nothing else matters.
    attended = [] if source is None else [read(source, source, None)]
    if config.train is None:
        raise ConfigError("data.train is required: its rows give the vocabulary")
    train = read("train", config.train, root)
    if not train.rows:
        found = [*train.findings.summary, *train.findings.lines()]
        raise DataError("\n".join([f"{config.train}: holds no rows that can be used", *found]))
    try:
        pipeline.fit(train.rows)
    except (ConfigError, DataError) as error:  # what was found before is told with it
        if found := train.findings.lines():
            raise type(error)("\n".join([str(error), "train:", *found])) from None
        raise
    notices = pipeline.features.fit_messages()
    train.findings.summary += notices
    if notices:
        train.findings.numbers["notices"] = notices
    compared = [train]
    if source is None:
        attended = [train]
        for name, part in (("dev", config.dev), ("test", config.test)):
            if part and (name != "test" or is_there(part, recipe.data)):
                attended.append(read(name, part, root))
        compared = attended
    elif Path(source).resolve() != (root / config.train).resolve():
        compared = [train, *attended]
    else:
        compared = attended  # the training rows themselves, which are not to be found in train a second time
        attended[0].name = "train"
    for each in {id(part): part for part in (train, *attended)}.values():
        scored = source is None and each is not train
        each.encode(pipeline, refuse=partial(_scored_all_the_same, each) if scored else None)
    compare(compared, pipeline, config)
    return {source or found.name: found.findings for found in attended}


def _scored_all_the_same(part: Part, row: Row, error: InputError) -> None:
    """Rows of dev and test whose text can't be learnt are scored, as errors; training and evaluation take them."""
    part.findings.warn(row, error.kind, f"{error}; scored all the same, and can't be got right")


def check_command(target: str, reader: str | None, overrides: Sequence[str], *, as_json: bool = False) -> bool:
    """What the command line prints; whether all rows can be used."""
    if reader is None and manifest_kind(Path(target)) and Path(target).is_file():
        raise ConfigError(f"{target}: is a manifest, not a recipe; --recipe RECIPE says how to read it")
    recipe = load_recipe(reader or target, overrides)
    found = check(recipe, target if reader else None, progress=True)
    missing = reader is None and recipe.data.test and "test" not in found
    usable = all(findings.rows and not findings.problems for findings in found.values())
    if as_json:
        print(json.dumps(_record(found, recipe, usable), ensure_ascii=False))
        return usable
    for number, (name, findings) in enumerate(found.items()):
        print(("\n" if number else "") + findings.report(name))
    if missing:
        print(f"\ntest: {recipe.data.test} is not there, so it was not looked at")
    if recipe.data.check == "headers":
        print("\nonly headers were read, not what is in the inputs (data.check)")
    return usable


def _record(found: dict[str, Findings], recipe: Recipe, usable: bool) -> dict[str, Any]:
    return {
        "usable": usable,
        "check": recipe.data.check,
        "parts": {name: findings.to_json() for name, findings in found.items()},
    }
