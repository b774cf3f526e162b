"""``seqpipe crossval``."""

from __future__ import annotations

import argparse
import sys

from seqpipe.errors import ConfigError
from seqpipe.verbs.shared import default_out, recipe_arguments

SUMMARY = "Train a recipe once a fold of its rows, and score each on the rows left out."
EXAMPLE = "seqpipe crossval recipes/speech/an4.yaml data.root=data/an4 --folds 5 --group speaker --out runs/an4-folds"
LIST = "overrides"
PARTS = ("train", "dev", "test")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    recipe_arguments(parser)
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="default: 5")
    parser.add_argument(
        "--group",
        metavar="COLUMN",
        help="whose rows of one value stay together; K values: one left out each",
    )
    parser.add_argument(
        "--stratify",
        nargs="?",
        const="",
        metavar="COLUMN",
        help="similar shares of each target, or of COLUMN's values, in all folds",
    )
    parser.add_argument("--parts", default="train", help="of the recipe's data that are divided: train,dev,test")
    parser.add_argument("--out", metavar="DIR", help="absent or empty folder (default: runs/<recipe name>-crossval)")
    parser.add_argument("--resume", action="store_true", help="keep finished folds in DIR, go on with the stopped one")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """Cross-validate, and print a table of the scores."""

    from seqpipe.config.recipe import load_recipe
    from seqpipe.evaluation.experiments.crossval import crossval

    if options.stratify and "=" in options.stratify:  # an override that came right behind
        options.overrides.append(options.stratify)
        options.stratify = ""
    parts = options.parts.split(",")
    for part in parts:
        if part not in PARTS or parts.count(part) > 1:
            raise ConfigError(f"--parts {options.parts}: should be train, dev or test, each once; received {part!r}")
    recipe = load_recipe(options.recipe, options.overrides)
    out = options.out or default_out(options.recipe, "-crossval")
    try:
        result = crossval(
            recipe,
            out,
            folds=options.folds,
            group=options.group,
            stratify=options.stratify,
            parts=parts,
            resume=options.resume,
            quiet=options.quiet,
        )
    except KeyboardInterrupt:
        print(f"go on with: seqpipe crossval ... --out {out} --resume", file=sys.stderr)
        raise
    print("\n".join(result.lines()))
    print(f"folds {out} ({sum(fold['seconds'] for fold in result.folds):.0f} s)")
    return 0
