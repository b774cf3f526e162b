"""What several verbs have in common."""

from __future__ import annotations

import argparse
from pathlib import Path


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a recipe and its overrides."""
    parser.add_argument("recipe", help="a YAML file, or the name of a shipped recipe such as speech/starter")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")


def default_out(recipe: str, suffix: str = "") -> str:
    """``runs/an4`` for ``recipes/speech/an4.yaml`` or ``speech/an4``, with a suffix behind the name."""
    name = Path(recipe)
    return str(Path("runs") / f"{(name.with_suffix('') if name.suffix else name).name}{suffix}")
