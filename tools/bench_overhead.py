"""What a training spends on everything but training: checks, dry run, checkpoints, logs, report.

    python tools/bench_overhead.py speech/an4 --out runs/an4 data.root=data/an4

The run is an ordinary one. Each part is timed where it is called, so all shares are of one run.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

import seqpipe
from seqpipe.evaluation.report import write
from seqpipe.training import preparing, train
from seqpipe.training.module import PipelineModule
from seqpipe.training.saving import SaveCheckpoint

PARTS: dict[str, list[tuple[Any, str]]] = {
    "check of the rows": [(preparing, "read_part"), (preparing, "compare")],
    "dry run of the largest batches": [(train, "dry_run")],
    "checkpoints": [(SaveCheckpoint, "_write")],
    "logs": [
        (PipelineModule, "_log_step"),
        (CSVLogger, "log_metrics"),
        (CSVLogger, "save"),
        (TensorBoardLogger, "log_metrics"),
        (TensorBoardLogger, "save"),
    ],
    "report": [(write, "write_report")],
}


class Stopwatch:
    """Seconds by part; what one part calls of another counts for the outer one alone."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.running = False

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            if self.running:
                return function(*arguments, **options)
            self.running, began = True, time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[part] += time.perf_counter() - began
                self.running = False

        return call


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    parser.add_argument("--out", required=True, metavar="DIR")
    options = parser.parse_intermixed_args()
    watch = Stopwatch()
    for part, places in PARTS.items():
        for owner, name in places:
            setattr(owner, name, watch.timed(part, getattr(owner, name)))
    began = time.perf_counter()
    seqpipe.train(seqpipe.load_recipe(options.recipe, options.overrides), options.out)
    total = time.perf_counter() - began
    print(f"| of a run of {total:.0f} s | seconds | share |")
    print("|---|---|---|")
    for part, seconds in watch.seconds.items():
        print(f"| {part} | {seconds:.1f} | {100 * seconds / total:.2f} % |")
    overhead = sum(watch.seconds.values())
    print(f"| together | {overhead:.1f} | {100 * overhead / total:.2f} % |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
