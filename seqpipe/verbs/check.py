"""``seqpipe check``."""

from __future__ import annotations

import argparse

SUMMARY = "Look at a recipe's rows, or a source of them, before training does."
EXAMPLE = "seqpipe check recipes/speech/an4.yaml data.root=data/an4"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "recipe", metavar="RECIPE|SOURCE", help="a recipe, or a manifest (then --recipe says how to read it)"
    )
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")
    parser.add_argument("--json", action="store_true", help="one JSON object that names every row, nothing else")
    parser.add_argument("--recipe", dest="reader", metavar="RECIPE", help="recipe that says how SOURCE is read")


def run(options: argparse.Namespace) -> int:
    """Look at the rows; status 1 if some can't be used."""
    from seqpipe.checks.check import check_command

    return 0 if check_command(options.recipe, options.reader, options.overrides, as_json=options.json) else 1
