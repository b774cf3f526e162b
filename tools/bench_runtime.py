"""An exported model and its runtime beside the run that it was exported from: start, one input, many, memory.

    python tools/bench_runtime.py runs/an4 data/an4/dev.tsv

The model is exported first, in fp32 and in int8 (`seqpipe export`). Three tables, each with the medians of --repeats,
all sides in turn, so that what else the machine does falls on all of them:

- from the start of the command to the first answer, for the first of the files, and the memory that the command has
  taken at most: `seqpipe infer` and `seqpipe-run`, each as a user starts it;
- one input after the other, the model loaded, on one thread: from the call to the answer, the median of --inputs files.
  bf16 is left out where the processor has no instructions for it;
- all files --times over, to JSON lines, on --threads threads, in a process that has loaded the libraries, and the
  memory of that process (`seqpipe infer` has another one, which reads).

Processor seconds stand beside those of the clock: other work on the machine lengthens them less. Nothing here imports
torch but the sides that need it: a process that is started has the memory of the one that starts it as its least peak.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench_infer import peak_memory
from bench_recipe import positive
from bench_text import names_of
from side_process import SideProcess, answer_calls

SIDES = {
    "fp32": "torch, fp32",
    "bf16": "torch, bf16",
    "runtime-fp32": "runtime, fp32",
    "runtime-int8": "runtime, int8",
}
TABLES = ("start", "single", "files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory")
    parser.add_argument("files", help="a manifest or a folder, as seqpipe infer takes it")
    parser.add_argument("--repeats", type=positive, default=5)
    parser.add_argument("--inputs", type=positive, default=20, help="files of the second table (default 20)")
    parser.add_argument("--times", type=positive, default=1, help="how often the files are gone through (default 1)")
    parser.add_argument("--threads", type=positive, default=2, help="of the third table (default 2)")
    parser.add_argument("--tables", type=names_of(TABLES), default=list(TABLES), metavar="TABLE,...",
                        help=f"which of {','.join(TABLES)}")  # fmt: skip
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--models", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.update(GOMP_SPINCOUNT="1000")  # as the seqpipe command does
    if options.side:
        answer_calls(lambda: side(options))
        return
    with tempfile.TemporaryDirectory() as folder:
        options.models = Path(folder)
        for precision in ("fp32", "int8"):
            export(options, precision)
        if "start" in options.tables:
            start(options)
        if {"single", "files"} & set(options.tables):
            compare(options)


def export(options: argparse.Namespace, precision: str) -> None:
    target = options.models / precision
    command = [sys.executable, "-m", "seqpipe.cli", "export", str(options.run), "--output", str(target)]
    done = subprocess.run([*command, "--precision", precision], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench_runtime: {done.stderr}")
    print(f"{precision}: {done.stdout.splitlines()[-1].rpartition(': ')[2]}; {done.stdout.splitlines()[0]}")


# From the start of the command


def start(options: argparse.Namespace) -> None:
    name = input_names(options)[0]
    if not Path(name).is_file():  # a text
        (options.models / "first.txt").write_text(name, encoding="utf-8")
        name = str(options.models / "first.txt")
    infer = ["seqpipe.cli", "infer", str(options.run)]
    commands = {
        "seqpipe infer": [*infer, name, "--device", "cpu"],
        "seqpipe-run, fp32": ["seqpipe.runtime.cli", str(options.models / "fp32"), name],
        "seqpipe-run, int8": ["seqpipe.runtime.cli", str(options.models / "int8"), name],
    }
    taken: dict[str, list[tuple[float, float, float]]] = {title: [] for title in commands}
    for repeat in range(options.repeats + 1):
        for title, words in commands.items():
            found = first_answer([sys.executable, "-m", *words, "--output", "-", "--quiet"])
            if repeat:  # the first fills the disk's cache
                taken[title].append(found)
    print(f"\nFrom the start of the command to the first answer; {machine()}; median of {options.repeats}, in turn\n")
    print("| | seconds | processor seconds, to its end | peak memory, MB |\n|---|---|---|---|")
    for title, values in taken.items():
        seconds, processor, memory = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"| {title} | {seconds:.2f} | {processor:.2f} | {memory:.0f} |")


def first_answer(command: Sequence[str]) -> tuple[float, float, float]:
    """Seconds to the first line, processor seconds to the end, and megabytes at most, children's not counted."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if process.stdout is None or process.stderr is None:
        sys.exit("bench_runtime: no pipes")
    line = process.stdout.readline()
    seconds = time.perf_counter() - began
    if b'"error"' in line or not line:
        sys.exit(f"bench_runtime: {' '.join(command)}: {line.decode()}{process.stderr.read().decode()}")
    process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6


# One input after the other, and many


def compare(options: argparse.Namespace) -> None:
    chosen = [name for name in SIDES if name != "bf16" or has_bf16()]
    script = [sys.executable, *sys.argv, "--models", str(options.models)]
    sides = {name: SideProcess(SIDES[name], [*script, "--side", name]) for name in chosen}
    for table in ("single", "files"):
        if table not in options.tables:
            continue
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
        for repeat in range(options.repeats + 1):
            for name, process in sides.items():
                answer = process.call(table)
                if repeat:
                    answers[name].append(answer)
        middle = {
            name: {key: statistics.median(each[key] for each in found) for key in found[0]}
            for name, found in answers.items()
        }
        (show_single if table == "single" else show_files)(options, middle)
    for process in sides.values():
        process.close()


def show_single(options: argparse.Namespace, middle: dict[str, dict[str, Any]]) -> None:
    print(f"\nOne input after the other, the model loaded, 1 thread; {machine()}; median of {options.repeats}\n")
    print("| | milliseconds | processor milliseconds | times torch |\n|---|---|---|---|")
    for name, found in middle.items():
        times = middle["fp32"]["processor"] / found["processor"]
        print(f"| {SIDES[name]} | {1000 * found['median']:.1f} | {1000 * found['processor']:.1f} | {times:.1f} |")


def show_files(options: argparse.Namespace, middle: dict[str, dict[str, Any]]) -> None:
    count = int(next(iter(middle.values()))["inputs"])
    print(f"\n{count:,} inputs to JSON lines, {options.threads} threads; {machine()}; median of {options.repeats}\n")
    print("| | seconds | inputs a second | times torch | peak memory, MB |\n|---|---|---|---|---|")
    for name, found in middle.items():
        times = middle["fp32"]["seconds"] / found["seconds"]
        print(f"| {SIDES[name]} | {found['seconds']:.2f} | {count / found['seconds']:.0f} | {times:.1f} | "
              f"{found['memory']:.0f} |")  # fmt: skip


def side(options: argparse.Namespace) -> Callable[[str, int], dict[str, Any]]:
    """In the side's own process: what answers calls."""
    load, infer = runtime_side(options) if options.side.startswith("runtime") else torch_side(options)
    names = input_names(options)[: options.inputs]
    loaded: list[Any] = []  # a model on one thread, once it is wanted

    def single() -> dict[str, Any]:
        if not loaded:
            loaded.append(load())
        taken, used = [], []
        for name in names:
            began, worked = time.perf_counter(), time.process_time()
            list(loaded[0].predict([name]))
            taken.append(time.perf_counter() - began)
            used.append(time.process_time() - worked)
        return {"median": statistics.median(taken), "processor": statistics.median(used)}

    def files() -> dict[str, Any]:
        began = time.perf_counter()
        summary = infer(str(options.models / f"{options.side}.jsonl"))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "inputs": summary.inputs, "memory": peak_memory()}

    return lambda kind, _: single() if kind == "single" else files()


Made = tuple[Callable[[], Any], Callable[[str], Any]]
"""What loads a model for one thread, and what answers all files."""


def torch_side(options: argparse.Namespace) -> Made:
    import torch

    from seqpipe.inference.infer import infer
    from seqpipe.inference.predictor import load

    def loaded() -> Any:
        torch.set_num_threads(1)
        return load(options.run, device="cpu", precision=options.side, threads=1, workers=1)

    def answer(output: str) -> Any:
        torch.set_num_threads(options.threads)
        inputs = [options.files] * options.times
        return infer(options.run, inputs, output, overwrite=True, quiet=True, device="cpu", precision=options.side,
                     threads=options.threads)  # fmt: skip

    return loaded, answer


def runtime_side(options: argparse.Namespace) -> Made:
    from seqpipe.runtime.infer import infer
    from seqpipe.runtime.model import Model

    model = options.models / options.side.removeprefix("runtime-")

    def answer(output: str) -> Any:
        inputs = [options.files] * options.times
        return infer(model, inputs, output, overwrite=True, quiet=True, threads=options.threads)

    return lambda: Model.load(model, threads=1), answer


# What there is


def input_names(options: argparse.Namespace) -> list[Any]:
    """Inputs that can be answered one by one: paths, or texts."""
    from seqpipe.data.rows import Row
    from seqpipe.inference.inputs import expand_inputs
    from seqpipe.runtime.manifest import read_manifest
    from seqpipe.runtime.readers import make_reader

    folder = options.models / "fp32"
    manifest = read_manifest(folder)
    suffixes = frozenset(make_reader(manifest.reader, folder).suffixes)
    rows = expand_inputs([options.files], manifest.columns, suffixes=suffixes)
    found = [row.input for row in rows if isinstance(row, Row)]
    if not found:
        sys.exit(f"bench_runtime: {options.files}: holds no inputs")
    return [str(each.path) if hasattr(each, "path") else each for each in found]


def machine() -> str:
    from seqpipe.run_directory import processor

    return f"{processor()}, torch {version('torch')}, onnxruntime {version('onnxruntime')}"


def has_bf16() -> bool:
    """Whether the processor has instructions for bf16, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.is_file() else set()
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


if __name__ == "__main__":
    main()
