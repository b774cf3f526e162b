"""``seqpipe check``: every row of a recipe looked at as training would, before training does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqpipe.data.check import Findings, examine_whole, usable
from seqpipe.data.rows import Row
from seqpipe.data.source import MANIFEST_SUFFIXES, data_root, is_there, read_rows, training_rows
from seqpipe.errors import ConfigError, DataError
from seqpipe.pipeline import Pipeline
from seqpipe.recipe import Recipe, load_recipe


def check(recipe: Recipe, source: str | None = None) -> dict[str, Findings]:
    """Decode every input, encode every target, and compare their lengths.

    Args:
        recipe: whose training rows give the vocabulary.
        source: looked at instead of the recipe's own train, dev and test parts.

    Returns:
        What was found, by part (or source).
    """
    root = data_root(recipe.data)
    pipeline = Pipeline(recipe)
    reads_files = pipeline.features.first.reads_files

    def rows_of(part: str, folder: Path | None) -> list[Row]:
        return list(read_rows(part, recipe.data, reads_files=reads_files, root=folder))

    parts = {} if source is None else {source: rows_of(source, None)}
    findings = Findings()
    train_rows, _ = usable(
        training_rows(recipe.data, reads_files=reads_files),
        lambda row: pipeline.features.prepare(row.input, None).numel(),
        findings,
    )
    if not train_rows:
        raise DataError("\n".join([f"{recipe.data.train}: holds no rows that can be used", *findings.lines()]))
    pipeline.fit(train_rows)
    if source is None:
        named = {name: getattr(recipe.data, name) for name in ("train", "dev", "test")}
        named |= {name: name for name in recipe.data.train_also}
        parts = {
            name: rows_of(part, root)
            for name, part in named.items()
            if part and (name != "test" or is_there(part, root))
        }
    found = {}
    for name, rows in parts.items():
        found[name] = Findings()
        usable(rows, lambda row: examine_whole(row, pipeline), found[name])
    return found


def check_command(target: str, reader: str | None, overrides: Sequence[str]) -> bool:
    """What the command line prints; whether all rows can be used."""
    if reader is None and Path(target).suffix.lower() in MANIFEST_SUFFIXES and Path(target).is_file():
        raise ConfigError(f"{target}: is a manifest, not a recipe; --recipe RECIPE says how to read it")
    recipe = load_recipe(reader or target, overrides)
    found = check(recipe, target if reader else None)
    for name, findings in found.items():
        good = findings.rows - len(findings.problems)
        print(f"{name}: {good} of {findings.rows} rows can be used")
        for line in findings.lines():
            print(f"  {line}")
    if reader is None and recipe.data.test and "test" not in found:
        print(f"test: {recipe.data.test} is not there, so it was not looked at")
    return not any(findings.problems for findings in found.values())
