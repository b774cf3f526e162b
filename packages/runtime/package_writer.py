"""The package as it is distributed: what `seqpipe.runtime` imports of seqpipe, under a name of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE, PACKAGE = "seqpipe", "seqpipe_runtime"
ROOTS = ("seqpipe.runtime", "seqpipe.runtime.cli")
NAMED = re.compile(r"seqpipe(\.\w+)+(:\w+)?")
"""A module that a table names, to be imported when it is needed."""
INIT = '''"""Exported models of seqpipe, run without torch; see `seqpipe_runtime.runtime`."""

from typing import Any

__version__ = "{version}"
__all__ = ["Model", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from seqpipe_runtime import runtime

        return getattr(runtime, name)
    raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
'''


def write_package(root: Path, folder: Path, version: str) -> None:
    """Write all modules that the runtime needs, with their imports rewritten.

    Args:
        root: of the checkout.
        folder: a new one.
        version: of the package.
    """
    known = modules(root)
    for name in sorted(closure(known)):
        place = folder.joinpath(*known[name].relative_to(root / SOURCE).parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(rewritten(known[name].read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "__init__.py").write_text(INIT.format(version=version), encoding="utf-8")
    (folder / "py.typed").touch()


def modules(root: Path) -> dict[str, Path]:
    """Files of seqpipe by the names of their modules; none of the package itself, which has another content here."""
    found = {}
    for path in (root / SOURCE).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in found.items() if name != SOURCE}


def closure(known: dict[str, Path]) -> set[str]:
    """Names of the modules that the roots import, or name in tables, with the packages that they are in."""
    found: set[str] = set()
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in known or name in found:
            continue
        found.add(name)
        waiting.append(name.rpartition(".")[0])
        for _, module in mentions(known[name].read_text(encoding="utf-8")):
            waiting += [module, module.rpartition(".")[0]]
    return found


def mentions(text: str, *, typed: bool = False) -> Iterator[tuple[ast.AST, str]]:
    """Nodes of a module that import one of seqpipe, or name it, and its name; if ``typed``, for type checkers too."""
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typed:
            waiting += node.orelse
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == SOURCE:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == SOURCE:
                    if alias.asname is None:
                        raise ValueError(f"import {alias.name}: what is called so later would keep its name; use from")
                    yield node, alias.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMED.fullmatch(node.value):
            yield node, node.value.partition(":")[0]
        waiting += ast.iter_child_nodes(node)


def rewritten(text: str) -> str:
    """The text of a module in which imports and names of modules are those of the package."""
    lines = text.splitlines(keepends=True)
    places = {
        number
        for node, _ in mentions(text, typed=True)
        for number in range(node.lineno - 1, node.end_lineno)  # type: ignore[attr-defined]
    }
    for number in places:
        lines[number] = re.sub(rf"\b{SOURCE}(?=[.\s])", PACKAGE, lines[number])
    return "".join(lines)
