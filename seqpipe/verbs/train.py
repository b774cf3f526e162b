"""``seqpipe train``."""

from __future__ import annotations

import argparse

from seqpipe.verbs.shared import default_out, recipe_arguments

SUMMARY = "Train a recipe into a run directory."
EXAMPLE = "seqpipe train recipes/speech/an4.yaml --out runs/an4 data.root=data/an4 training.epochs=30"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    recipe_arguments(parser)
    parser.add_argument("--out", metavar="DIR", help="run directory, absent or empty (default: runs/<recipe name>)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in DIR, if there is one")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="KEY",
        help="with --resume: a key whose value may differ from the one DIR was started with; may be repeated",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """Train, and print the headline scores of dev; ``metrics.json`` and the report have all."""

    from seqpipe.config.recipe import load_recipe
    from seqpipe.core.metric import headline_scores
    from seqpipe.evaluation.experiments.main_score import main_score
    from seqpipe.training.train import train

    recipe = load_recipe(options.recipe, options.overrides)
    out = options.out or default_out(options.recipe)
    metrics = train(recipe, out, resume=options.resume, accept=options.accept, quiet=options.quiet)
    for name, value in headline_scores(metrics["dev"], main_score(recipe)[0]).items():
        print(f"dev {name} {value:.2f}")
    print(f"run {out} ({metrics['seconds']:.0f} s, {metrics['parameters'] / 1e6:.2f} M parameters)")
    return 0
