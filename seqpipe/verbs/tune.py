"""``seqpipe tune``."""

from __future__ import annotations

import argparse
import sys

from seqpipe.verbs.shared import default_out

SUMMARY = "Search better values for a recipe: trials are runs, compared on dev."
EXAMPLE = "seqpipe tune speech/starter --trials 20 --out runs/search training.epochs=9"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "recipe", help="a YAML file whose search: section says what to try, or the name of a shipped recipe"
    )
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")
    parser.add_argument(
        "--trials", type=int, required=True, metavar="N", help="how many there are to be in DIR in the end"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="absent, empty, or of a search that goes on (default: runs/<recipe name>-tune)"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="trainings of each trial, whose mean counts (default: 1)"
    )
    parser.add_argument("--timeout", type=float, metavar="MINUTES", help="after which no further trial begins")
    parser.add_argument(
        "--keep", choices=["all", "best"], default="all", help="run directories that stay (default: all)"
    )
    parser.add_argument("--no-pruning", action="store_true", help="train every trial to its end, however bad it looks")
    parser.add_argument("--quiet", action="store_true", help="no progress of the trials")


def run(options: argparse.Namespace) -> int:
    """Search, and print a table of the trials."""
    from pathlib import Path

    from seqpipe.config.overrides import parse_override
    from seqpipe.config.recipe import find_recipe, load_recipe
    from seqpipe.core.written import unwritten
    from seqpipe.evaluation.experiments.recipe_text import edited
    from seqpipe.evaluation.experiments.tune import tune

    recipe = load_recipe(options.recipe, options.overrides)
    text = find_recipe(options.recipe).read_text(encoding="utf-8")
    out = options.out or default_out(options.recipe, "-tune")
    try:
        report = tune(
            recipe,
            out,
            trials=options.trials,
            seeds=options.seeds,
            timeout=options.timeout,
            text=edited(text, {path: unwritten(value) for path, value in map(parse_override, options.overrides)}),
            keep=options.keep,
            prune=not options.no_pruning,
            quiet=options.quiet,
        )
    except KeyboardInterrupt:
        print("the same command goes on with the trial that was stopped", file=sys.stderr)
        raise
    print("\n".join(report.lines()))
    print(f"best: seqpipe train {Path(out) / 'best.yaml'}")
    return 0
