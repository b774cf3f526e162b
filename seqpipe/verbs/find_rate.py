"""``seqpipe find-rate``."""

from __future__ import annotations

import argparse

from seqpipe.errors import ConfigError
from seqpipe.verbs.shared import recipe_arguments

SUMMARY = "Try rising learning rates on a recipe for some steps, and say which one to take."
EXAMPLE = "seqpipe find-rate recipes/speech/an4.yaml --picture rate.png data.root=data/an4"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    recipe_arguments(parser)
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="steps of the test (default: 100)")
    parser.add_argument("--lowest", type=float, default=1e-5, metavar="RATE", help="first rate (default: 1e-5)")
    parser.add_argument("--highest", type=float, default=1.0, metavar="RATE", help="last rate (default: 1)")
    parser.add_argument("--picture", metavar="FILE", help="loss over rate, e.g. rate.png")


def run(options: argparse.Namespace) -> int:
    """Print the rates."""
    from pathlib import Path

    from seqpipe.config.recipe import find_recipe, load_recipe
    from seqpipe.core.files import check_replaced
    from seqpipe.training.find_rate import find_rate

    recipe = load_recipe(options.recipe, options.overrides)
    picture = Path(options.picture) if options.picture else None
    if picture is not None and not picture.absolute().parent.is_dir():
        raise ConfigError(f"--picture {picture}: there is no folder {picture.parent}")
    if picture is not None:
        root = Path(recipe.data.root or "")
        sources = [root / name for name in (recipe.data.train, recipe.data.dev, recipe.data.test) if name is not None]
        check_replaced("--picture", [picture], [find_recipe(options.recipe), *sources])
    found = find_rate(recipe, steps=options.steps, lowest=options.lowest, highest=options.highest)
    if picture is not None:
        found.draw(picture)
    advice = "at the edge of the test, so not to be believed: widen it" if found.at_edge else "take it"
    print(f"steepest fall of the loss at {found.steepest:.1e} ({advice}; training.learning_rate)")
    print(f"least loss at {found.least:.1e} (an upper bound), after {len(found.rates)} steps")
    return 0
