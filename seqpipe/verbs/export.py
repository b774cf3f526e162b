"""``seqpipe export``."""

from __future__ import annotations

import argparse
import sys

from seqpipe.verbs.shared import chosen_for_a_run

SUMMARY = "Write a trained model as ONNX, for runtimes without torch, and check its answers against the run's."
EXAMPLE = "seqpipe export runs/an4 --output exported/an4 --precision int8"
LIST = "overrides"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory")
    parser.add_argument("overrides", nargs="*", metavar="decoding.KEY=VALUE", help="options of decoding that it has")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--format", default="onnx", choices=["onnx", "web"], help="web: with a page that uses it in a browser"
    )
    parser.add_argument(
        "--onnxruntime-web",
        metavar="PATH",
        help="of a page: the package of npm, or its unpacked folder (default: from the cache, else by npm)",
    )
    parser.add_argument(
        "--precision", default="fp32", choices=["fp32", "int8"], help="int8: a quarter of the size, less exact"
    )
    parser.add_argument(
        "--weight-bits",
        type=int,
        default=7,
        choices=[7, 8],
        help="of int8 weights; 8 is more exact, and right on processors with VNNI alone (default: 7)",
    )
    parser.add_argument("--data", metavar="SOURCE", help="rows that run and export both answer (default: dev)")
    parser.add_argument(
        "--tolerance", type=float, metavar="POINTS", help="that the main score may be off (default: 0.1, of int8 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Export."""
    from seqpipe.export.export import export

    found = export(
        options.run,
        options.output,
        precision=options.precision,
        weight_bits=options.weight_bits,
        data=options.data,
        tolerance=options.tolerance,
        form=options.format,
        onnxruntime_web=options.onnxruntime_web,
        decoding=chosen_for_a_run(options.overrides, "decoding").get("decoding", {}),
    )
    if found.verification is None:
        print("not checked: the run's dev rows aren't here; name some with --data", file=sys.stderr)
    else:
        print(*found.verification.lines(), sep="\n")
    print(f"{found.folder}: {found.bytes / 1e6:.2f} MB")
    return 0
