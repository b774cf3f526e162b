"""Batch inference: how fast it is, next to the model alone and next to SpeechBrain, and what it needs.

    uv pip install -e '.[bench]'
    python tools/bench_infer.py runs/an4 data/an4/dev.tsv

The sides take turns in one run; times are medians over the repeats. `files to JSON lines` is a `seqpipe infer` over
the inputs, listed --times over, in a process that has loaded the libraries: model, reading, features, decoding,
journal, output. `model alone` runs front-end, encoder and head over the same batches of ready features, once with a
batch on each thread and once with all threads on a batch: the faster counts. SpeechBrain's side is the loop that its
users write: batches of 16 files in the order in which they come, read, padded, through a CRDNN of the same sizes,
greedy decoding, JSON lines.

Then, each in a process of its own: from the start of the command to the first answer; one recording at a time; and
short inputs by the thousand, for time and memory (of the process with the model; one that reads has some 300 MB).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SIDES = ["files fp32", "model fp32", "files bf16", "model bf16", "speechbrain"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run directory of a trained recognizer")
    parser.add_argument("manifest", help="of recordings")
    parser.add_argument("--times", type=int, default=20, help="how often the recordings are listed (default 20)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--counts", default="1000,10000,100000", help="of short inputs")
    parser.add_argument("--parts", default="speed,start,single,counts", help="which parts to run")
    parser.add_argument("--sides", default=",".join(SIDES), help="of the first part")
    options = parser.parse_args()
    # As the seqpipe command does, and for all sides: threads that wait don't spin for long.
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    parts = options.parts.split(",")
    sides = options.sides.split(",")
    if "speed" in parts and "speechbrain" in sides and find_spec("speechbrain") is None:
        parser.error("SpeechBrain is not installed: uv pip install -e '.[bench]', or leave it out of --sides")
    with tempfile.TemporaryDirectory() as folder:
        if "speed" in parts:
            speed(options, sides, Path(folder))
        if "start" in parts:
            start(options)
        if "single" in parts:
            single(options)
        if "counts" in parts:
            counts(options, Path(folder))


# Speed: sides in processes of their own, in turn


def speed(options: argparse.Namespace, names: list[str], folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    sides: dict[str, Any] = {}
    for name in names:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(name, options, folder, theirs))
        process.start()
        theirs.close()
        sides[name] = (ours, process)
        facts = ours.recv()
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(options.repeats + 1):
        for name, (ours, _) in sides.items():
            ours.send("go")
            seconds = ours.recv()
            if repeat:  # the first warms up
                times[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    peaks, shares = {}, {}
    for name, (ours, process) in sides.items():
        ours.send("facts")
        peaks[name], shares[name] = ours.recv()
        ours.send(None)
        process.join()
    audio = facts["seconds"]
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "speechbrain") if find_spec(name))
    print(f"{facts['inputs']} inputs, {audio / 60:.0f} min of audio; {facts['processor']}, {options.threads} threads, "
          f"{versions}; median of {options.repeats}, all sides in turn\n")  # fmt: skip
    print("| | times real time | peak memory, MB |\n|---|---|---|")
    titles = {
        "files fp32": "files to JSON lines, fp32",
        "files bf16": "files to JSON lines, bf16",
        "model fp32": "model alone on ready features, fp32",
        "model bf16": "model alone on ready features, bf16",
        "speechbrain": "SpeechBrain, CRDNN of the same sizes, files in batches of 16",
    }
    for name in names:
        memory = f"{peaks[name]:.0f}" if not name.startswith("model") else ""
        print(f"| {titles[name]} | {audio / medians[name]:.0f} | {memory} |")
    for precision in ("fp32", "bf16"):
        files, model = medians.get(f"files {precision}"), medians.get(f"model {precision}")
        if files and model:
            print(f"\n{precision}: {100 * model / files:.0f} % of the model's own speed; ", end="")
            print("time of all threads and processes: " + shares[f"files {precision}"])
    if "speechbrain" in medians and "files fp32" in medians:
        print(f"\n{medians['speechbrain'] / medians['files fp32']:.1f} times SpeechBrain's loop")


def serve(name: str, options: argparse.Namespace, folder: Path, connection: Any) -> None:
    """A side's own process: runs when it is told to, and sleeps between."""
    import warnings

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    kind, _, precision = name.partition(" ")
    make = {"files": files_side, "model": model_side, "speechbrain": speechbrain_side}[kind]
    go, facts, shares = make(options, precision or "fp32", folder / name.replace(" ", "-"))
    connection.send(facts)
    for call in iter(connection.recv, None):
        if call == "facts":
            connection.send((peak_memory(), shares()))
            continue
        started = time.perf_counter()
        go()
        connection.send(time.perf_counter() - started)


Side = tuple[Callable[[], object], dict[str, Any], Callable[[], str]]


def files_side(options: argparse.Namespace, precision: str, out: Path) -> Side:
    from seqpipe.inference.infer import infer
    from seqpipe.inference.warm_up import warm_up

    warm_up()
    said = io.StringIO()

    def go() -> None:
        said.seek(0)
        said.truncate()
        with contextlib.redirect_stderr(said):
            infer(options.run, [options.manifest] * options.times, f"{out}.jsonl", overwrite=True, device="cpu",
                  precision=precision, threads=options.threads)  # fmt: skip

    def shares() -> str:
        return said.getvalue().strip().splitlines()[-1].partition(": ")[2]

    return go, facts_of(options), shares


def model_side(options: argparse.Namespace, precision: str, out: Path) -> Side:
    from concurrent.futures import ThreadPoolExecutor

    import torch

    from seqpipe.core.sequence import PaddedSequence
    from seqpipe.inference.engine import Engine
    from seqpipe.inference.predictor import load
    from seqpipe.inference.reading import Reader
    from seqpipe.inference.workers import Workers

    predictor = load(options.run, device="cpu", precision=precision, threads=options.threads)
    pipeline = predictor.pipeline
    batches: list[PaddedSequence] = []

    class Collect:
        """In the place of the model: keeps the features of every batch."""

        clock = predictor.compute.clock

        def submit(self, units: list[Any], alone: bool) -> Any:
            from concurrent.futures import Future

            with torch.inference_mode():
                batches.append(pipeline.features(PaddedSequence.pad([unit.prepared for unit in units])))
            done: Future[list[None]] = Future()
            done.set_result([None] * len(units))
            return done

    rows = list(manifest_rows(options, pipeline)) * options.times
    engine = Engine(pipeline, predictor.settings, Collect())  # type: ignore[arg-type]
    for _ in engine.windows(Reader(predictor.preparation, Workers(predictor.preparation, count=1)), rows):
        pass

    def answer(batch: PaddedSequence) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            pipeline.head(pipeline.encode(batch, batch))

    def one_thread() -> None:
        torch.get_num_threads()
        torch.set_num_threads(1)

    pool = ThreadPoolExecutor(options.threads, initializer=one_thread)

    def side_by_side() -> None:
        list(pool.map(answer, batches))

    def in_turn() -> None:
        for batch in batches:
            answer(batch)

    taken = {}
    for way in (side_by_side, in_turn):
        torch.set_num_threads(options.threads)
        way()
        started = time.perf_counter()
        way()
        taken[way] = time.perf_counter() - started
    best = min(taken, key=lambda way: taken[way])
    torch.set_num_threads(options.threads)
    return best, facts_of(options), lambda: ""


def speechbrain_side(options: argparse.Namespace, precision: str, out: Path) -> Side:
    import soundfile
    import torch
    from speechbrain_models import MODELS, Shape

    from seqpipe.core.sequence import PaddedSequence
    from seqpipe.pipeline import Pipeline

    pipeline = Pipeline.load(Path(options.run))
    model = MODELS["crdnn"](Shape.of(pipeline)).eval()
    paths = [row.input.source for row in manifest_rows(options, pipeline)] * options.times
    head: Any = pipeline.head

    def go() -> None:
        with torch.inference_mode(), Path(f"{out}.jsonl").open("w") as file:
            for start in range(0, len(paths), 16):
                group = paths[start : start + 16]
                waves = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in group]
                for path, labels in zip(group, model.decode(PaddedSequence.pad(waves)), strict=True):
                    text = head.units.decode([label - 1 for label in labels])
                    file.write(json.dumps({"id": str(path), "text": text}) + "\n")

    return go, facts_of(options), lambda: ""


def manifest_rows(options: argparse.Namespace, pipeline: Any) -> Iterator[Any]:
    from seqpipe.core.suffixes import AUDIO_SUFFIXES
    from seqpipe.data.source import read_rows

    return read_rows(
        options.manifest, pipeline.recipe.data, suffixes=AUDIO_SUFFIXES, needs_target=False, needs_id=False
    )


def facts_of(options: argparse.Namespace) -> dict[str, Any]:
    from seqpipe.pipeline import Pipeline
    from seqpipe.run_directory import environment

    pipeline = Pipeline.load(Path(options.run))
    rows = list(manifest_rows(options, pipeline))
    samples = sum(pipeline.features.length(row.input) for row in rows)
    reader: Any = pipeline.features.reader
    return {
        "inputs": len(rows) * options.times,
        "seconds": samples / reader.sample_rate * options.times,
        "processor": environment()["machine"]["processor"],
    }


# From the start, and one at a time


def first_recording(options: argparse.Namespace) -> str:
    from seqpipe.pipeline import Pipeline

    return str(next(iter(manifest_rows(options, Pipeline.load(Path(options.run))))).input.source)


def start(options: argparse.Namespace) -> None:
    taken = []
    for _ in range(options.repeats):
        began = time.perf_counter()
        command = [sys.executable, "-m", "seqpipe.cli", "infer", options.run, options.manifest, "--output", "-"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if process.stdout is None or not process.stdout.readline():
            sys.exit("bench_infer: seqpipe infer gave no answer")
        taken.append(time.perf_counter() - began)
        process.communicate()
    print(f"\nstart of the command to the first answer: {statistics.median(taken):.1f} s "
          f"(median of {options.repeats}; {', '.join(f'{seconds:.1f}' for seconds in sorted(taken))})")  # fmt: skip


def single(options: argparse.Namespace) -> None:
    import soundfile
    import torch

    from seqpipe.inference.predictor import load

    torch.set_num_threads(options.threads)
    for precision in ("fp32", "bf16"):
        predictor = load(options.run, device="cpu", precision=precision)
        paths = [row.input.source for row in manifest_rows(options, predictor.pipeline)]
        list(predictor.predict(paths[:5]))
        taken = []
        for path in paths:
            began = time.perf_counter()
            list(predictor.predict([path]))
            taken.append(time.perf_counter() - began)
        lengths = [soundfile.info(path).duration for path in paths]
        shares = statistics.quantiles(taken, n=20)
        print(f"\none recording at a time, {precision}: median {1000 * statistics.median(taken):.0f} ms, 95 % within "
              f"{1000 * shares[-1]:.0f} ms; the median recording has {statistics.median(lengths):.1f} s")  # fmt: skip


# Many short inputs


def counts(options: argparse.Namespace, folder: Path) -> None:
    import numpy as np
    import soundfile

    from seqpipe.pipeline import Pipeline

    reader: Any = Pipeline.load(Path(options.run)).features.reader
    rate: int = reader.sample_rate
    draw = np.random.default_rng(1)
    wav = folder / "short"
    wav.mkdir()
    for number in range(400):  # lengths of 0.2 to 1.5 s, each another
        length = int(rate * (0.2 + 1.3 * number / 399))
        soundfile.write(wav / f"{number}.wav", 0.05 * draw.standard_normal(length), rate)
    print("\n| short inputs | seconds | inputs a second | peak memory, MB |\n|---|---|---|---|")
    for count in map(int, options.counts.split(",")):
        listed = folder / f"{count}.jsonl"
        with listed.open("w") as file:
            for number in draw.integers(0, 400, count):
                file.write(json.dumps({"path": f"short/{number}.wav"}) + "\n")
        out = folder / f"{count}.out.jsonl"
        seconds, megabytes = timed_infer(options.run, listed, out, options.threads, "--set", "data.input=path")
        expect_answers(out, count)
        print(f"| {count:,} | {seconds:.1f} | {count / seconds:.0f} | {megabytes:.0f} |", flush=True)


def timed_infer(run: str, listed: Path, out: Path, threads: int, *more: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a `seqpipe infer` in a process of its own, from its start to its end."""
    command = [sys.executable, "-m", "seqpipe.cli", "infer", run, str(listed), "--output", str(out), "--quiet"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--threads", str(threads), *more])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{Path(sys.argv[0]).stem}: seqpipe infer ended with status {status}")
    return seconds, usage.ru_maxrss / 1024


def expect_answers(out: Path, count: int) -> None:
    """End if an output has another number of lines than there were inputs."""
    lines = sum(1 for _ in out.open())
    if lines != count:
        sys.exit(f"{Path(sys.argv[0]).stem}: {lines} answers to {count} inputs")


def peak_memory() -> float:
    """Of this process, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
