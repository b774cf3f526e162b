"""YAML of plain values: what recipes are written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.events import AliasEvent

from seqpipe.core.written import WrittenBoolean, WrittenFloat, WrittenInteger
from seqpipe.errors import ConfigError
from seqpipe.text.validity import unfit

MAX_BYTES, MAX_NODES, MAX_DEPTH = 1_000_000, 100_000, 50
"""Of a file of YAML: its size; values in it, those of an alias counted each time that it is used; levels of nesting."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = ("bool", "int", "float", "null")


class PlainLoader(yaml.SafeLoader):
    """YAML of plain values: no tags, no key twice, no more values than `MAX_NODES`.

    Keys and dates are text, and numbers know how they were written.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in found if tag != f"{_TAG}timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.deep_construct = True  # each value whole at once, so that what is wrong with it is told with its place
        self._count = self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A value with all in it; raises `ComposerError` where there are too many, or one within another."""
        event = self.peek_event()
        mark: Any = event.start_mark
        if self._depth == MAX_DEPTH:
            raise ComposerError(None, None, f"more than {MAX_DEPTH} levels in one another", mark)
        before = self._count
        self._count += 1
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, AliasEvent):
            if id(node) not in self._sizes:
                raise ComposerError(None, None, f"*{event.anchor} stands in what it stands for", mark)
            self._count = before + self._sizes[id(node)]
        else:
            self._sizes[id(node)] = self._count - before
        if self._count > MAX_NODES:
            raise ComposerError(None, None, f"more than {MAX_NODES} values (aliases count each time)", mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; raises `ConstructorError` for what is no number, date, ... though it looks like one."""
        try:
            value = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:  # noqa: BLE001 - ValueError of a date, KeyError of !!bool, AttributeError, ...
            shown = f"{node.value!r:.40}" if isinstance(node, yaml.ScalarNode) else "what stands here"
            what = node.tag.rpartition(":")[2]
            problem = f"{shown} is no {what} ({type(error).__name__}: {error}); put quotation marks around text"
            raise ConstructorError(None, None, problem, node.start_mark) from None
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            problem = f"a number of {len(node.value)} digits is too large; put quotation marks around text"
            raise ConstructorError(None, None, problem, node.start_mark)
        if isinstance(value, str) and (problem := unfit(value) or ""):
            raise ConstructorError(None, None, problem, node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises `ConstructorError` for a key that stands there twice."""
        found = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag.removeprefix(_TAG) in _PLAIN:
                key_node.tag = f"{_TAG}str"
            key = self.construct_object(key_node, deep=True)
            try:
                stands_twice = key in found
            except TypeError:
                raise ConstructorError(None, None, f"{key!r:.40} can't be a key", key_node.start_mark) from None
            if stands_twice:
                raise ConstructorError(None, None, f"the key {key!r} stands here twice", node.start_mark)
            found.add(key)
        return super().construct_mapping(node, deep)


def _remember_writing(name: str, kind: Any) -> None:
    """Let scalars of a type be built with the text that stood there."""
    build = getattr(PlainLoader, f"construct_yaml_{name}")
    PlainLoader.add_constructor(_TAG + name, lambda loader, node: kind(build(loader, node), node.value))


_remember_writing("bool", WrittenBoolean)
_remember_writing("int", WrittenInteger)
_remember_writing("float", WrittenFloat)


def parse_yaml(text: str) -> Any:
    """Plain values of a text.

    Raises:
        ConfigError: it is no YAML, or holds a tag that would build an object; the message has the line.
    """
    loader = None
    try:
        loader = PlainLoader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        is_tag = "could not determine a constructor" in str(error.problem)
        what = "only scalars, lists and mappings are allowed" if is_tag else "is not valid YAML"
        problem, mark = str(error.problem), error.problem_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
    except yaml.reader.ReaderError as error:
        what, problem = "is not valid YAML", f"the character U+{ord(text[error.position]):04X} is not allowed"
        line, column = text.count("\n", 0, error.position), error.position - text.rfind("\n", 0, error.position) - 1
    except Exception as error:  # noqa: BLE001 - the scanner's: ValueError of "\UFFFFFFFF" or of %YAML 1.999...
        what, problem = "is not valid YAML", f"{type(error).__name__}: {error}"
        line, column = (loader.line, loader.column) if loader is not None else (0, 0)
    raise ConfigError(f"{what}: {problem} (line {line + 1}, column {column + 1})")


def dump_yaml(value: Any, **options: Any) -> str:
    """Plain data as YAML that reads as it was meant, characters as they are; options are `yaml.safe_dump`'s."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, **options)
    # PyYAML (6.0) writes U+0085 as it is, and reads it as a line break.
    return text if "\x85" not in text else yaml.safe_dump(value, sort_keys=False, **options)


def read_yaml(path: Path) -> Any:
    """Plain values of a YAML file.

    Raises:
        ConfigError: it can't be read, has more than `MAX_BYTES`, is no YAML, or holds a tag that would build an object.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(f"is no recipe: it has more than {MAX_BYTES:,} bytes", source=str(path))
        return parse_yaml(content.decode("utf-8"))
    except ConfigError as error:
        raise error.within(source=str(path)) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"is no UTF-8 text (line {line}: {error.reason})", source=str(path)) from None
    except OSError as error:
        raise ConfigError(f"can't be read: {error}", source=str(path)) from None
