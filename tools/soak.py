"""Kill trainings at random moments, resume them, and see that each ends as if nothing had happened.

    python tools/soak.py speech/an4 --kills 30 --out runs/soak data.root=data/an4 training.epochs=2

A training is left alone first. Then, as often as --kills says, another is killed with SIGKILL at a moment drawn between
its start and its end, workers and all, and started again with --resume. Its weights must be the same bits, and the rows
of every batch of every epoch the same, also of those batches that were trained twice.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch

import seqpipe
from seqpipe.pipeline import Pipeline

Batches = dict[tuple[int, int], list[str]]


class Trace(lightning.Callback):
    """Appends the rows of every batch to a file before it is trained on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, index: int) -> None:
        line = json.dumps([trainer.current_epoch, index, [module.rows[row].id for row in batch.rows]])
        with self.path.open("a") as file:
            file.write(line + "\n")


def train(recipe: str, out: Path, overrides: Sequence[str]) -> None:
    """One training in this process, resumed if there is something to resume."""
    trace = Trace(out.with_suffix(".rows"))
    seqpipe.train(
        seqpipe.load_recipe(recipe, overrides), out, resume=True, quiet=True, notice=lambda _: None, callbacks=[trace]
    )


def start(options: argparse.Namespace, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, options.recipe, "--child", "--out", str(out), *options.overrides]
    return subprocess.Popen(command, start_new_session=True)


def finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        sys.exit(f"soak: the training ended with status {process.returncode}")


def read_batches(out: Path) -> Batches:
    """Rows by epoch and batch; a batch that was trained twice must have had the same rows both times."""
    batches: Batches = {}
    lines = out.with_suffix(".rows").read_text().splitlines()
    for number, line in enumerate(lines):
        try:
            epoch, index, rows = json.loads(line)
        except ValueError:  # the kill came while it was written
            if number + 1 == len(lines):
                raise
            continue
        if batches.setdefault((epoch, index), rows) != rows:
            sys.exit(f"soak: {out}: epoch {epoch}, batch {index} had other rows after the resume")
    return batches


def same_bits(one: Path, other: Path) -> bool:
    first, second = Pipeline.load(one).state_dict(), Pipeline.load(other).state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def soak(options: argparse.Namespace) -> int:
    folder = Path(options.out)
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"soak: {folder} is not empty; give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    finish(start(options, folder / "alone"))
    seconds = time.perf_counter() - began
    expected = read_batches(folder / "alone")
    print(f"left alone: {seconds:.1f} s, {len(expected)} batches in {1 + max(expected)[0]} epochs", flush=True)
    draw = np.random.default_rng(options.seed)
    exact = 0
    for number in range(1, options.kills + 1):
        out = folder / f"killed-{number}"
        moment = draw.uniform(0, seconds)
        process = start(options, out)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        ended = (out / "metrics.json").is_file()  # finished; the process was only on its way out
        begun = read_batches(out) if out.with_suffix(".rows").exists() else {}
        finish(start(options, out)) if not ended else None
        same = same_bits(folder / "alone", out) and read_batches(out) == expected
        exact += same
        where = "after its end" if ended else f"in epoch {max(begun)[0] + 1}" if begun else "before its first step"
        print(
            f"kill {number} after {moment:.1f} s, {where} ({len(begun)} batches): {'exact' if same else 'DIFFERS'}",
            flush=True,
        )
    print(f"{options.kills} kills, {exact} exact ends")
    return 0 if exact == options.kills else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    parser.add_argument("--out", required=True, metavar="DIR", help="absent or empty")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    if options.child:
        train(options.recipe, Path(options.out), options.overrides)
        return 0
    return soak(options)


if __name__ == "__main__":
    sys.exit(main())
