"""``seqpipe calibrate``."""

from __future__ import annotations

import argparse
import json
import sys

from seqpipe.verbs.shared import chosen_decoding, scoring_arguments

SUMMARY = "Make a run's confidences those that they say they are, by labelled rows that it wasn't trained on."
EXAMPLE = "seqpipe calibrate runs/an4 --part dev"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    scoring_arguments(parser, together="folds and intervals")
    parser.add_argument("--part", default="dev", metavar="PART", help="of the recipe: dev (the default) or test")
    parser.add_argument("--data", metavar="SOURCE", help="manifest, folder or hub:NAME in the place of a part")
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="of the figures (default: 5)")
    parser.add_argument("--json", action="store_true", help="one JSON object of the figures, nothing else")


def run(options: argparse.Namespace) -> int:
    """Fit, write, and print what it is worth."""
    from seqpipe.evaluation.calibration.calibrate import calibrate
    from seqpipe.evaluation.calibration.table import record, render

    fit = calibrate(
        options.run,
        options.data,
        part=options.part,
        group=options.group,
        folds=options.folds,
        decoding=chosen_decoding(options),
        device=options.device,
    )
    for note in fit.notes:
        print(note, file=sys.stderr)
    print(json.dumps(record(fit), ensure_ascii=False) if options.json else render(fit))
    return 0
