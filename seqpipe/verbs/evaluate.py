"""``seqpipe evaluate``."""

from __future__ import annotations

import argparse
import json
import sys

from seqpipe.errors import ConfigError
from seqpipe.verbs.shared import calibration_argument, chosen_decoding, scoring_arguments

SUMMARY = "Score a run on labelled data."
EXAMPLE = "seqpipe evaluate runs/an4 --data data/an4/dev.tsv --json"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    scoring_arguments(parser)
    calibration_argument(parser)
    parser.add_argument(
        "--data",
        metavar="SOURCE",
        help="manifest, folder, hub:NAME, or what two files of parallel text begin with (default: the recipe's test or "
        "dev)",
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE,...",
        help="score only rows that have one of these values, e.g. speaker=anna,paul",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object of the scores, nothing else")


def run(options: argparse.Namespace) -> int:
    """Score, and print a table or JSON."""
    from seqpipe.evaluation.scores.evaluate import evaluate

    evaluation = evaluate(
        options.run,
        options.data,
        group=options.group,
        where=dict(map(_condition, options.where)),
        decoding=chosen_decoding(options),
        calibrated=options.calibrated,
        device=options.device,
    )
    for notice in evaluation.notices:
        print(notice, file=sys.stderr)
    if options.json:
        print(json.dumps(evaluation.to_json(), ensure_ascii=False))
        return 0
    from seqpipe.evaluation.scores.table import render

    print(render(evaluation))
    return 0


def _condition(text: str) -> tuple[str, set[str]]:
    column, sign, values = text.partition("=")
    if not (column and sign and values):
        raise ConfigError(f"--where {text}: should be COLUMN=VALUE, or COLUMN=VALUE,VALUE for several")
    return column, set(values.split(","))
