"""Line recognition against Kraken's, the same layers on the same lines: training and recognition.

    uv venv kraken && uv pip install --python kraken/bin/python kraken==7.1.1
    python tools/bench_handwriting.py --lines data/peraire --kraken-python kraken/bin/python

Kraken's dependencies have bounds that need not fit other packages: it gets an environment of its own, and a process;
nothing is downloaded. What goes over to it are the files' names and texts.

Both sides have Kraken's default recogniser (four convolutions with max-pooling, three BiLSTMs of 200 each way, CTC) at
a height of 64 pixels, the same AdamW and clipping. Training begins with lines in memory and is timed batch by batch,
the sides in turn, each batch by its median over the rounds; lines are drawn at random. Kraken trains on one line at a
time unless told otherwise, seqpipe's recipes on batches of lines of similar width, so there are three measurements:
one line at a time, mixed widths, similar widths; the last row is each as it trains. Recognition is the whole of dev,
from files to texts, by the median of the rounds; the fastest of --sizes counts for Kraken (its default is one line).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_recipe import positive
from bench_text import names_of
from side_process import SideProcess

SIDES = {"kraken": "Kraken", "fp32": "seqpipe", "bf16": "seqpipe, bf16"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=Path, default=Path("data/peraire"), help="folder with train.tsv and dev.tsv")
    parser.add_argument("--kraken-python", default=sys.executable, help="of the environment that has kraken")
    parser.add_argument("--sides", type=names_of(SIDES), default=list(SIDES), metavar="SIDE,...",
                        help=f"which of {','.join(SIDES)}; the ratios are to kraken")  # fmt: skip
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--batch", type=positive, default=16, help="lines of a batch")
    parser.add_argument("--batches", type=positive, default=6)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--dev-lines", type=positive, help="fewer than all, to try the tool")
    parser.add_argument("--sizes", default="1,8,16", help="of Kraken's batches in recognition")
    options = parser.parse_args()
    # As the seqpipe command does, and for all sides: threads that wait don't spin for long.
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    train, dev = (read_lines(options.lines, part) for part in ("train", "dev"))
    dev = dev[: options.dev_lines]
    drawn = random.Random(1).sample(range(len(train)), min(len(train), options.batch * options.batches))
    ways = {
        "one line at a time": [[place] for place in drawn],
        "mixed widths": [drawn[start : start + options.batch] for start in range(0, len(drawn), options.batch)],
        "similar widths": similar_batches(train, drawn, options.batch),
    }
    batches = [batch for way in ways.values() for batch in way]
    job = folder / "job.json"
    files = {"train": train, "dev": dev}
    job.write_text(
        json.dumps(
            {
                **{part: [(path, text) for path, text, _ in rows] for part, rows in files.items()},
                "batches": batches,
                "threads": options.threads,
            }
        )
    )
    sides = {name: start(name, job, options) for name in options.sides}
    labels = {SIDES[name]: side.call("facts")["labels"] for name, side in sides.items()}
    if len(set(labels.values())) > 1:
        sys.exit(f"bench_handwriting: the sides don't have the same task: {labels}")
    seconds = train_in_turn(sides, len(batches), options.rounds)
    recognised = recognise_in_turn(sides, options.rounds, [int(size) for size in options.sizes.split(",")])
    facts = {name: side.call("facts") for name, side in sides.items()}
    for side in sides.values():
        side.close()
    report(options, ways, len(drawn), len(dev), seconds, recognised, facts)


def read_lines(folder: Path, part: str) -> list[tuple[str, str, int]]:
    """Path, text and width of every line."""
    from PIL import Image

    from seqpipe.config.recipe import DataConfig
    from seqpipe.core.suffixes import IMAGE_SUFFIXES
    from seqpipe.data.source import read_rows

    found = []
    for row in read_rows(f"{part}.tsv", DataConfig(), suffixes=IMAGE_SUFFIXES, root=folder):
        with Image.open(row.input.source) as image:
            found.append((str(row.input.source), str(row.target), image.width))
    return found


def similar_batches(lines: Sequence[Any], drawn: Sequence[int], size: int) -> list[list[int]]:
    """The drawn lines in batches of similar width, as training makes them of an epoch."""
    import numpy as np

    from seqpipe.data.batching import plan_batches

    widths = [lines[place][2] for place in drawn]
    plan = plan_batches(widths, budget=10_000_000, max_rows=size, generator=np.random.default_rng(1))
    return [[drawn[place] for place in batch] for batch in plan]


def start(name: str, job: Path, options: argparse.Namespace) -> SideProcess:
    """A process with one of the recognisers."""
    kraken = name == "kraken"
    command = [options.kraken_python if kraken else sys.executable, str(Path(__file__).with_name("line_sides.py"))]
    hint = "--kraken-python names a Python that has kraken" if kraken else ""
    return SideProcess(SIDES[name], [*command, name, str(job)], hint)


def train_in_turn(sides: dict[str, SideProcess], count: int, rounds: int) -> dict[str, list[float]]:
    """Median seconds of each side for each batch."""
    taken: dict[str, list[list[float]]] = {name: [[] for _ in range(count)] for name in sides}
    for repeat in range(rounds + 1):
        for batch in range(count):
            for name, side in sides.items():
                seconds = side.call("train", batch)["seconds"]
                if repeat:  # the first warms up
                    taken[name][batch].append(seconds)
    return {name: [statistics.median(times) for times in batches] for name, batches in taken.items()}


def recognise_in_turn(sides: dict[str, SideProcess], rounds: int, sizes: Sequence[int]) -> dict[str, dict[int, float]]:
    """Median seconds of each side for dev, by the size of its batches (0: its own)."""
    taken: dict[str, dict[int, list[float]]] = {
        name: {size: [] for size in (sizes if name == "kraken" else [0])} for name in sides
    }
    for repeat in range(rounds + 1):
        for name, side in sides.items():
            for size, times in taken[name].items():
                seconds = side.call("predict", size)["seconds"]
                if repeat:
                    times.append(seconds)
    return {
        name: {size: statistics.median(times) for size, times in by_size.items()} for name, by_size in taken.items()
    }


def report(
    options: argparse.Namespace,
    ways: dict[str, list[list[int]]],
    lines: int,
    dev_lines: int,
    seconds: dict[str, list[float]],
    recognised: dict[str, dict[int, float]],
    facts: dict[str, Any],
) -> None:
    from seqpipe.run_directory import environment

    rows: list[tuple[str, dict[str, float]]] = []
    begin = 0
    for way, batches in ways.items():
        spent = {name: sum(times[begin : begin + len(batches)]) for name, times in seconds.items()}
        rows.append((f"training, lines a second, {way}", {name: lines / value for name, value in spent.items()}))
        begin += len(batches)
    own = {name: rows[0 if name == "kraken" else 2][1][name] for name in seconds}
    rows.append(("... each as it trains", own))
    best = {name: min((value, size) for size, value in by_size.items()) for name, by_size in recognised.items()}
    rows.append(("recognition, lines a second", {name: dev_lines / value for name, (value, _) in best.items()}))
    print(f"{next(iter(facts.values()))['labels']} labels on every side; {lines} lines in batches of {options.batch}, "
          f"{dev_lines} lines of dev; {environment()['machine']['processor']}, {options.threads} threads, "
          f"median of {options.rounds}, all sides in turn")  # fmt: skip
    print("\n| |" + "".join(f" {SIDES[name]} |{' times |' if name != 'kraken' else ''}" for name in facts))
    print("|---|" + "---|" * (2 * len(facts) - ("kraken" in facts)))
    for title, values in rows:
        print(f"| {title} | {' '.join(f'{values[name]:.4g} |' + ratio(name, values) for name in values)}")
    for title, key, scale in (("parameters, millions", "parameters", 1e6), ("peak memory, MB", "megabytes", 1.0)):
        cells = [f"{facts[name][key] / scale:.4g} |" + ("  |" if name != "kraken" else "") for name in facts]
        print(f"| {title} | {' '.join(cells)}")
    if "kraken" in best:
        sizes = ", ".join(f"{size}: {dev_lines / value:.3g}" for size, value in recognised["kraken"].items())
        print(f"\nKraken's recognition by lines in a batch, lines a second: {sizes}")


def ratio(name: str, values: dict[str, float]) -> str:
    """A cell for the ratio to Kraken."""
    if name == "kraken":
        return ""
    return f" {values[name] / values['kraken']:.1f} |" if "kraken" in values else "  |"


if __name__ == "__main__":
    main()
