"""``seqpipe infer``."""

from __future__ import annotations

import argparse
import sys

SUMMARY = "Run a trained model over files, folders, globs, manifests, or - for standard input."
EXAMPLE = "seqpipe infer runs/an4 recordings/ more/*.flac --output out.jsonl"
LIST = "inputs"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="file, folder, glob, manifest, hub:NAME or -")
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="JSON lines, in input order; - for standard output"
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])


def run(options: argparse.Namespace) -> int:
    """Write an answer for every input; status 3 if some failed."""
    import time

    from seqpipe.inference.inputs import expand_inputs
    from seqpipe.inference.predictor import load
    from seqpipe.inference.write import write_answers

    predictor = load(options.run, device=options.device, precision=options.precision)
    pipeline = predictor.pipeline
    rows = expand_inputs(
        options.inputs,
        pipeline.recipe.data,
        reads_files=pipeline.features.first.reads_files,
        notice=lambda message: print(message, file=sys.stderr),
    )
    started = time.perf_counter()
    count, failures = write_answers(predictor.predict(rows), options.output)
    failed = sum(failures.values())
    kinds = ", ".join(f"{number} {kind}" for kind, number in failures.most_common())
    print(
        f"{count} inputs in {time.perf_counter() - started:.1f} s" + (f", {failed} failed ({kinds})" if failed else ""),
        file=sys.stderr,
    )
    return 3 if failed else 0
