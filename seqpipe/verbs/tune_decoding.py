"""``seqpipe tune-decoding``."""

from __future__ import annotations

import argparse
from pathlib import Path

from seqpipe.verbs.shared import chosen_for_a_run

SUMMARY = "Search the weights of a language model and other options of decoding, on dev."
EXAMPLE = "seqpipe tune-decoding runs/an4 --trials 40 decoding.lm=words.arpa"
LIST = "overrides"
FILE = "best_decoding.yaml"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory")
    parser.add_argument("overrides", nargs="*", metavar="decoding.key=value", help="language model, lexicon, beam, ...")
    parser.add_argument("--part", choices=["dev", "test", "train"], default="dev", help="of the recipe (default: dev)")
    parser.add_argument("--data", metavar="SOURCE", help="other rows than the recipe's")
    parser.add_argument("--trials", type=int, default=30, metavar="N", help="weights that are tried (default: 30)")
    parser.add_argument("--hot-word-weight", action="store_true", help="search that of the hot words too")
    parser.add_argument("--seed", type=int, default=1, help="of what is tried (default: 1)")
    parser.add_argument("--out", metavar="FILE", help=f"YAML with the best weights (default: {FILE} in the run)")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])


def run(options: argparse.Namespace) -> int:
    """Search, print a table of the trials, and write the best weights."""
    from seqpipe.evaluation.scores.tune_decoding import tune_decoding

    found = tune_decoding(
        options.run,
        options.data,
        part=options.part,
        decoding=dict(chosen_for_a_run(options.overrides, "decoding").get("decoding", {})),
        trials=options.trials,
        hot_word_weight=options.hot_word_weight,
        seed=options.seed,
        device=options.device,
    )
    out = Path(options.out) if options.out else Path(options.run) / FILE
    found.write(out)
    print("\n".join(found.lines()))
    best = " ".join(f"decoding.{name}={value}" for name, value in found.best.weights.items())
    print(f"best of {len(found.trials)} on {found.rows} rows of {found.source}: {best}")
    print(f"written to {out}")
    return 0
