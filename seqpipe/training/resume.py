"""Going on with a run: only with the recipe and the rows that it was started with."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqpipe.config.plain_yaml import read_yaml
from seqpipe.config.recipe import Recipe, parse_recipe
from seqpipe.errors import ConfigError, RunError
from seqpipe.model_file import RECIPE

HARMLESS = frozenset(
    f"training.{key}" for key in ("workers", "checkpoint_minutes", "loggers", "dry_run", "max_bad_steps", "report")
)
"""Keys that change how training goes about it, and no bit of what comes out."""

DATA = "data"


def differences(before: Recipe, now: Recipe) -> list[tuple[str, Any, Any]]:
    """Key path, old and new value of everything in which two recipes differ."""
    old, new = (dict(flatten(recipe.model_dump(mode="json"))) for recipe in (before, now))
    keys = list(old) + [key for key in new if key not in old]
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """``("pipeline.encoder.layers", 3)`` for every value; a stage in a list goes by its position and name."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}.{index}.{item.get('stage', '')}".rstrip("."))
    else:
        yield path, value


def enforce_same(folder: Path, now: Recipe, data_same: bool, accepted: Sequence[str]) -> list[str]:
    """Refuse to go on with other values than a run was started with; returns what differs and was accepted.

    Args:
        folder: of the run.
        now: the recipe that is to go on.
        data_same: whether the training rows are those of before.
        accepted: key paths whose change is wanted, each with all below it; ``data`` accepts other rows.

    Raises:
        ConfigError: what differs and isn't accepted; or a key that differs in nothing is to be accepted.
    """
    try:
        before = parse_recipe(read_yaml(folder / RECIPE), str(folder / RECIPE))
    except ConfigError as error:
        raise RunError(f"{error}\n(the recipe of the run that --resume is to go on with)") from None
    found = [item for item in differences(before, now) if item[0] not in HARMLESS]
    for wanted in accepted:
        if not any(_covers(wanted, key) for key, _, _ in found) and not (wanted == DATA and not data_same):
            keys = [key for key, _, _ in found]
            near = difflib.get_close_matches(wanted, keys, n=1)
            hint = f"did you mean {near[0]}?" if near else f"what differs: {', '.join(keys) or 'nothing'}"
            raise ConfigError(f"--accept {wanted}: nothing of that name differs from {folder / RECIPE}; {hint}")
    refused = [item for item in found if not any(_covers(wanted, item[0]) for wanted in accepted)]
    lines = [f"  {key}: {_shown(old)} before, {_shown(new)} now" for key, old, new in refused]
    keys = [key for key, _, _ in refused]
    if not data_same and DATA not in accepted:
        lines.append("  data: the training rows are not those of before (ids, targets or sizes differ)")
        keys.append(DATA)
    if lines:
        raise ConfigError(
            f"{folder} was started with other values, so going on would give a run that no recipe describes:\n"
            + "\n".join(lines)
            + "\nTake the values of before, train into another --out, or go on all the same with "
            + " ".join(f"--accept {key}" for key in keys)
        )
    changed = [f"{key}: {_shown(old)} before, {_shown(new)} now" for key, old, new in found]
    return changed if data_same else [*changed, "data: other rows"]


def _covers(wanted: str, key: str) -> bool:
    return key == wanted or key.startswith(f"{wanted}.")


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
