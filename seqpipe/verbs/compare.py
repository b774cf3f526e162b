"""``seqpipe compare``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

SUMMARY = "Put runs side by side on the same rows: scores, significance, recipes, and where they differ."
EXAMPLE = "seqpipe compare runs/a runs/b --data data/an4/dev.tsv --output a_b.html"
LIST = "runs"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN[,RUN...]",
        help="run directories, two or more; the first is the measure; RUN,RUN are seeds of one, whose mean counts",
    )
    parser.add_argument(
        "--data", metavar="SOURCE", help="manifest, folder or hub:NAME (default: the recipes' test or dev)"
    )
    parser.add_argument("--output", metavar="FILE", help="write a page (HTML) too")
    parser.add_argument("--group", metavar="COLUMN", help="rows drawn together for the tests, e.g. speaker")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])


def run(options: argparse.Namespace) -> int:
    """Compare, and print a table or JSON."""
    from seqpipe.core.files import check_place
    from seqpipe.evaluation.scores.compare import compare

    if options.output:
        check_place("--output", Path(options.output))
    comparison = compare(
        [_seeds(run) for run in options.runs], options.data, group=options.group, device=options.device
    )
    for notice in comparison.notices:
        print(notice, file=sys.stderr)
    if options.output:
        from seqpipe.evaluation.report.compare_page import write_comparison

        write_comparison(comparison, options.output)
    if options.json:
        print(json.dumps(comparison.to_json(), ensure_ascii=False))
        return 0
    from seqpipe.evaluation.scores.compare_table import render_comparison

    print(render_comparison(comparison))
    return 0


def _seeds(runs: str) -> list[str]:
    """The runs of a side; a folder that is there may have a comma in its name."""
    return [runs] if "," not in runs or Path(runs).exists() else [run for run in runs.split(",") if run]
