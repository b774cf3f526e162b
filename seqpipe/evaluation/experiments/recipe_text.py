"""The text of a recipe with other values, its comments kept."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import yaml

from seqpipe.config.overrides import set_value
from seqpipe.config.plain_yaml import dump_yaml, parse_yaml
from seqpipe.errors import ConfigError


def edited(text: str, values: Mapping[str, Any]) -> str | None:
    """A recipe's text in which only some values are others.

    Args:
        text: YAML.
        values: by key path; keys that the text doesn't have are added.

    Returns:
        The text, or None where it can't be edited so that it reads as meant (anchors, say).
    """
    meant = copy.deepcopy(parse_yaml(text))
    try:
        for path, value in values.items():
            set_value(meant, path, value, path)
            text = _replace(text, path.split("."), value)
        return text if parse_yaml(text) == meant else None
    except (yaml.YAMLError, ConfigError, LookupError):
        return None


def _replace(text: str, keys: list[str], value: Any) -> str:
    """One value put where the text has it, or beside its neighbours where it hasn't."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for depth, key in enumerate(keys):
        rest = keys[depth + 1 :]
        found = _child(node, key)
        if found is None:
            return _insert(text, node, key, _nested(rest, value))
        node = found
        if isinstance(node, yaml.ScalarNode) and rest:  # `training:` with nothing behind it
            return _put(text, node, _nested(rest, value))
    return _put(text, node, value)


def _child(node: Any, key: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((child for name, child in node.value if name.value == key), None)
    names = [_stage_name(item) for item in node.value]
    if key in names:
        return node.value[names.index(key)]
    return node.value[int(key)] if re.fullmatch(r"[0-9]{1,9}", key) else None


def _stage_name(item: Any) -> str:
    if isinstance(item, yaml.MappingNode):
        item = _child(item, "stage")
    return item.value if isinstance(item, yaml.ScalarNode) else ""


def _nested(keys: list[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _put(text: str, node: Any, value: Any) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    # A block ends where the next token begins; the line ends before it are not the block's.
    end = start + len(text[start:end].rstrip())
    if start == end:  # `frontend:` with nothing behind it
        return f"{text[:start]} {_shown(value)}{text[end:]}"
    return text[:start] + _shown(value) + text[end:]


def _insert(text: str, mapping: Any, key: str, value: Any) -> str:
    """A new key: in a block behind the first key's line, so that a list item still begins with its ``stage:``."""
    name, first = mapping.value[0]
    line = f"{key}: {_shown(value)}"
    if mapping.flow_style:
        at = first.end_mark.index
        return f"{text[:at]}, {line}{text[at:]}"
    indent = " " * name.start_mark.column
    if isinstance(first, yaml.ScalarNode) and first.end_mark.line == name.start_mark.line:
        at = text.find("\n", first.end_mark.index)
        at = len(text) if at < 0 else at
        return f"{text[:at]}\n{indent}{line}{text[at:]}"
    at = name.start_mark.index
    return f"{text[:at]}{line}\n{indent}{text[at:]}"


def _shown(value: Any) -> str:
    # In a list, since it may come to stand between brackets, where more texts need quotation marks.
    return dump_yaml([value], default_flow_style=True, width=10**6).strip()[1:-1]
