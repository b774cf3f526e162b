"""``seqpipe report``."""

from __future__ import annotations

import argparse
import sys

from seqpipe.verbs.shared import calibration_argument, chosen_decoding, scoring_arguments

SUMMARY = "Write a run's report.html: curves, scores, confusions, and the worst rows to see and hear."
EXAMPLE = "seqpipe report runs/an4 --data data/an4/dev.tsv --output an4.html"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    scoring_arguments(parser)
    calibration_argument(parser)
    parser.add_argument(
        "--data", metavar="SOURCE", help="manifest, folder or hub:NAME (default: the recipe's dev, else test)"
    )
    parser.add_argument("--output", metavar="FILE", help="where to (default: report.html in the run directory)")


def run(options: argparse.Namespace) -> int:
    """Write the report, and print where it lies."""
    from seqpipe.evaluation.report.write import write_report

    path = write_report(
        options.run,
        options.data,
        output=options.output,
        group=options.group,
        decoding=chosen_decoding(options),
        calibrated=options.calibrated,
        device=options.device,
    )
    print(path)
    print(f"{path.stat().st_size / 1e6:.1f} MB; open it in a browser", file=sys.stderr)
    return 0
