"""Which folder may import which: downwards alone, and no module in a circle."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import seqpipe

ROOT = Path(seqpipe.__file__).parent
ORDER = [
    "errors",
    "core",
    "text",
    "language",
    "layers",
    "config",
    "decoding",
    "answers",
    "metrics",
    "data",
    "decoders",
    "frontends",
    "encoders",
    "features",
    "heads",
    "model_file",
    "hub",
    "pipeline",
    "run_directory",
    "generation",
    "checks",
    "inference",
    "runtime",
    "serve",
    "evaluation.scores",
    "evaluation.report",
    "training",
    "evaluation.experiments",
    "evaluation.calibration",
    "export",
    "verbs",
    "cli",
    "__main__",
]
"""Rooms from the ground upwards; each may import those before it."""
PARTED = {"evaluation"}
"""Folders whose folders are rooms of their own."""


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of seqpipe that a file imports, those in functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("seqpipe"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("seqpipe."))


def room(module: str) -> str:
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[0] in PARTED else parts[0]


def edges() -> dict[str, set[str]]:
    known = modules()
    found = {name: set(imported(path, known)) - {name} for name, path in known.items()}
    return {name: {each for each in others if each != "seqpipe"} for name, others in found.items() if name != "seqpipe"}


def test_every_room_has_its_place() -> None:
    rooms = {room(name) for name in modules() if name != "seqpipe"} - PARTED
    assert rooms == set(ORDER)


def test_rooms_import_downwards_alone() -> None:
    place = {name: number for number, name in enumerate(ORDER)}
    upwards = [
        f"{name} imports {other}"
        for name, others in edges().items()
        for other in others
        if name.split(".")[1:] not in ([part] for part in PARTED) and place[room(other)] > place[room(name)]
    ]
    assert upwards == []


def test_no_module_stands_in_a_circle() -> None:
    graph = edges()
    state: dict[str, int] = defaultdict(int)  # 1 while below it, 2 when done
    circles = []

    def visit(name: str, above: list[str]) -> None:
        state[name] = 1
        for other in sorted(graph.get(name, ())):
            if state[other] == 1:
                circles.append([*above[above.index(other) :], other] if other in above else [name, other])
            elif state[other] == 0:
                visit(other, [*above, other])
        state[name] = 2

    for name in sorted(graph):
        if state[name] == 0:
            visit(name, [name])
    assert circles == []


def test_every_folder_says_what_it_is_for_and_what_it_imports() -> None:
    for path in ROOT.rglob("__init__.py"):
        if path.parent != ROOT:
            said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            assert len(said) > 40, path
            assert "mports" in said or path.parent.parent != ROOT, f"{path} doesn't say what it may import"
