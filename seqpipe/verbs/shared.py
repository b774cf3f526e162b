"""What several verbs have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seqpipe.errors import ConfigError


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a recipe and its overrides."""
    parser.add_argument("recipe", help="a YAML file, or the name of a shipped recipe such as speech/starter")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")


def scoring_arguments(parser: argparse.ArgumentParser, together: str = "the intervals") -> None:
    """Declare a run, how it is scored, and how it decodes: options by themselves, and as `infer` takes them.

    Args:
        parser: gets the options.
        together: what rows of a group are drawn together for, or stay together in.
    """
    parser.add_argument("run", help="run directory")
    parser.add_argument("--group", metavar="COLUMN", help=f"rows that stay together for {together}, e.g. speaker")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("overrides", nargs="*", metavar="decoding.key=value", help="how to decode")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="the same, as of infer")


def calibration_argument(parser: Any) -> None:
    """Declare the way to have confidences as the model itself has them."""
    parser.add_argument(
        "--no-calibration",
        dest="calibrated",
        action="store_false",
        help="confidences as the model has them, though the run was calibrated",
    )


def chosen_decoding(options: argparse.Namespace) -> dict[str, Any]:
    """What `scoring_arguments` were given, as a mapping; raises `ConfigError` for any other key."""
    return dict(chosen_for_a_run([*options.overrides, *options.set], "decoding").get("decoding", {}))


def chosen_for_a_run(
    overrides: Iterable[str], *sections: str, shown: Callable[[str], str] = repr
) -> dict[str, dict[str, Any]]:
    """Overrides of a trained run, by section; raises `ConfigError` for a key of any section but these.

    Args:
        overrides: ``section.key=value``.
        sections: whose keys may be set.
        shown: how an override is written in the message.
    """
    from seqpipe.config.overrides import apply_override

    tree: dict[str, dict[str, Any]] = {}
    for override in overrides:
        if not override.startswith(tuple(f"{section}." for section in sections)):
            allowed = " and ".join(f"{section}.*" for section in sections)
            raise ConfigError(f"{shown(override)}: only {allowed} can be set for a trained run")
        apply_override(tree, override)
    return tree


def default_out(recipe: str, suffix: str = "") -> str:
    """``runs/an4`` for ``recipes/speech/an4.yaml`` or ``speech/an4``, with a suffix behind the name."""
    name = Path(recipe)
    return str(Path("runs") / f"{(name.with_suffix('') if name.suffix else name).name}{suffix}")
