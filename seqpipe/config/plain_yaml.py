"""YAML of plain values: what recipes are written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from seqpipe.core.written import WrittenBoolean, WrittenFloat, WrittenInteger
from seqpipe.errors import ConfigError

_TAG = "tag:yaml.org,2002:"


class PlainLoader(yaml.SafeLoader):
    """YAML of plain values: no tags, no key twice; keys and dates are text, numbers know how they were written."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in found if tag != f"{_TAG}timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises `ConstructorError` for a key that stands there twice."""
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag.removeprefix(_TAG) in ("bool", "int", "float", "null"):
                key.tag = f"{_TAG}str"
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _remember_writing(name: str, kind: Any) -> None:
    """Let scalars of a type be built with the text that stood there."""
    build = getattr(PlainLoader, f"construct_yaml_{name}")
    PlainLoader.add_constructor(_TAG + name, lambda loader, node: kind(build(loader, node), node.value))


_remember_writing("bool", WrittenBoolean)
_remember_writing("int", WrittenInteger)
_remember_writing("float", WrittenFloat)


def read_yaml(path: Path) -> Any:
    """Plain values of a YAML file.

    Raises:
        ConfigError: it can't be read, is no YAML, or holds a tag that would build an object.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=PlainLoader)  # a SafeLoader
    except yaml.constructor.ConstructorError as error:
        raise ConfigError(
            f"only scalars, lists and mappings are allowed: {error.problem} ({_place(error)})", source=str(path)
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"is not valid YAML: {error.problem} ({_place(error)})", source=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", source=str(path)) from None


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "no place given"
