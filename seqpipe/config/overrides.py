"""Values of a recipe that are set from outside: ``key.path=value``."""

from __future__ import annotations

import re
from typing import Any

from seqpipe.config.plain_yaml import parse_yaml
from seqpipe.errors import ConfigError, did_you_mean, shown


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Set one ``key.path=value`` in the tree of a recipe, in place.

    Raises:
        ConfigError: there is no ``=``, the value is no YAML, or the path leads through something that has no keys.
    """
    path, value = parse_override(override)
    set_value(tree, path, value, override)


def parse_override(override: str) -> tuple[str, Any]:
    """Key path and value of a ``key.path=value``; raises `ConfigError` if it is none."""
    path, separator, text = override.partition("=")
    if not separator or not path:
        raise ConfigError(f"{override!r} is no override; write key.path=value, e.g. training.epochs=10")
    try:
        return path, parse_yaml(text)
    except ConfigError as error:
        is_sign = text.startswith(("*", "&", "@", "%", "!"))  # to YAML: a pattern is none of its values
        quoted = f"""; put it in quotation marks: {path}='"{text}"'""" if is_sign else ""
        raise ConfigError(f"{override!r}: the value {error}{quoted}") from None


def set_value(tree: dict[str, Any], path: str, value: Any, override: str) -> None:
    """Set the value of a key path in place; ``override`` is what messages show, see `apply_override`."""
    *parents, last = path.split(".")
    at: Any = tree
    for key in parents:
        step: Any = key
        if not isinstance(at, dict):
            step = _list_index(at, key, override)
        elif at.get(key) is None:
            at[key] = {}
        if isinstance(at[step], str) and parents[0] == "pipeline":  # a bare stage name, which gets options now
            at[step] = {"stage": at[step]}
        at = at[step]
    if isinstance(at, dict):
        at[last] = value
    else:
        at[_list_index(at, last, override)] = value


def _list_index(at: Any, key: str, override: str) -> int:
    """The position in a list that ``key`` names: a number, or the class name of a stage that occurs once."""
    if not isinstance(at, list):
        raise ConfigError(f"{override!r}: {key} can't be looked up in the value {shown(at)}")
    if re.fullmatch(r"[0-9]{1,9}", key) and int(key) < len(at):
        return int(key)
    names = [item.get("stage", "") if isinstance(item, dict) else str(item) for item in at]
    if names.count(key) != 1:
        raise ConfigError(
            f"{override!r}: {key} should be a position below {len(at)}, or the name of a stage that stands there once"
            f"{did_you_mean(key, names)}"
        )
    return names.index(key)
