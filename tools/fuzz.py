"""Feed readers, recipes, run directories and journals with broken files, and count what they make of them.

    python tools/fuzz.py --cases 2000 --out runs/fuzz
    python tools/fuzz.py --target audio --seed 1 --case 123

Each target makes small valid files itself; a case is one of them with a few mutations (bits, fields of headers, numbers
and words of a text, chunks and lines twice or nowhere, splices, truncation), and follows from target, seed and number
alone. Cases run in processes of their own. A fault is: any exception but a `SeqpipeError`, NaN in an answer, what
passes for something that it is not, a traceback of the command, a case that takes more than --seconds, memory that
grows by more than --memory, a process that dies. Failing files are kept under --out. The exit status is 1 if there
are faults.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_mutations import mutate
from fuzz_readers import Audio, Image, Ink, Page, Text
from fuzz_targets import INPUTS, FaultError, JournalFiles, RecipeFile, RunDirectory, Target

from seqpipe.errors import SeqpipeError

TARGETS: dict[str, type[Target]] = {
    "audio": Audio,
    "image": Image,
    "ink": Ink,
    "page": Page,
    "text": Text,
    "recipe": RecipeFile,
    "run": RunDirectory,
    "journal": JournalFiles,
}
MEGABYTE = 2**20
START_SECONDS = 120
"""That a process may take to get ready."""


@dataclass
class Report:
    """What came of a target's cases.

    Attributes:
        outcomes: words of what went as it should, and how often.
        faults: what is wrong, and the numbers of the cases in which it is.
        slowest: seconds of the slowest case, and its number.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[int]] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, 0)

    @property
    def failed(self) -> int:
        """How many cases have a fault."""
        return sum(map(len, self.faults.values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="may be repeated (default: all)")
    parser.add_argument("--cases", type=int, default=500, metavar="N", help="of each target (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, metavar="N", help="this one alone, in this process")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S", help="that a case may take (default: 5)")
    parser.add_argument("--memory", type=int, default=500, metavar="MB", help="it may grow by (default: 500)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at once (default: 2)")
    parser.add_argument("--out", metavar="DIR", help="for files that lead to faults")
    parser.add_argument("--json", metavar="FILE", help="counts and faults")
    parser.add_argument("--worker", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    targets = options.target or list(TARGETS)
    if options.worker:
        return work(targets[0], Path(options.worker), options.seed, options.memory)
    if options.case is not None and len(targets) != 1:
        parser.error("--case is of one --target")
    reports = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        for name in targets:
            folder = Path(temporary) / name
            TARGETS[name]().make(folder)
            if options.case is not None:
                return repeat(name, folder, options.seed, options.case)
            reports[name] = fuzz(name, folder, options)
            print(lines(name, reports[name], options.cases), flush=True)
    print_table(reports)
    if options.json:
        content = {name: vars(report) for name, report in reports.items()}
        arguments = {name: getattr(options, name) for name in ("cases", "seed", "seconds", "memory")}
        Path(options.json).write_text(json.dumps({**arguments, "targets": content}, indent=2) + "\n", encoding="utf-8")
    return int(any(report.failed for report in reports.values()))


# Cases


def case_of(target: Target, name: str, folder: Path, seed: int, number: int) -> tuple[str, bytes, random.Random]:
    """A case: which input is broken, what it is then, and the rest of the draw."""
    draw = random.Random(f"{name} {seed} {number}")
    names = target.names(folder)
    chosen = draw.choice(names)
    contents = [(folder / INPUTS / other).read_bytes() for other in names]
    return chosen, mutate(contents[names.index(chosen)], contents, draw), draw


def run_case(target: Target, name: str, folder: Path, seed: int, number: int) -> dict[str, Any]:
    """What comes of a case: ``outcome``, or ``fault`` and ``detail``."""
    chosen, data, draw = case_of(target, name, folder, seed, number)
    scratch = Path(tempfile.mkdtemp(prefix="case-", dir=folder))
    try:
        return {"outcome": target.run(chosen, data, scratch, draw)}
    except SeqpipeError:
        return {"outcome": "refused"}
    except FaultError as error:
        return {"fault": str(error).replace(str(scratch), "").partition("\n")[0][:100], "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - any other is what is looked for
        frames = traceback.extract_tb(error.__traceback__)
        last = next((frame for frame in reversed(frames) if "seqpipe" in frame.filename), frames[-1])
        place = f"{Path(last.filename).name}:{last.lineno}"
        return {"fault": f"{type(error).__name__} in {place}", "detail": traceback.format_exc()}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def repeat(name: str, folder: Path, seed: int, number: int) -> int:
    """One case in this process, with all that it says."""
    target = TARGETS[name]()
    target.open(folder)
    print(f"{name}, seed {seed}, case {number}: {case_of(target, name, folder, seed, number)[0]}")
    found = run_case(target, name, folder, seed, number)
    print("\n".join(f"{key}: {value}" for key, value in found.items()))
    return int("fault" in found)


# The process that runs cases


def work(name: str, folder: Path, seed: int, memory: int) -> int:
    """Cases by their numbers from standard input, what comes of them to standard output, a line of JSON each."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not to stand between
    target = TARGETS[name]()
    target.open(folder)
    names = target.names(folder)
    for chosen in names:  # the valid ones first, which loads all that there is to load
        scratch = Path(tempfile.mkdtemp(prefix="valid-", dir=folder))
        target.run(chosen, (folder / INPUTS / chosen).read_bytes(), scratch)
        shutil.rmtree(scratch)
    # A limit beyond the one that is told: what asks for terabytes gets a MemoryError, and doesn't take the machine.
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 8 * memory * MEGABYTE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers.write(json.dumps({"ready": True}) + "\n")
    answers.flush()
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for line in sys.stdin:
        found = run_case(target, name, folder, seed, int(line))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) * 1024 // MEGABYTE
        if grown > memory and "fault" not in found:
            found = {"fault": "memory", "detail": f"grew by {grown} MB"}
        answers.write(json.dumps(found) + "\n")
        answers.flush()
    return 0


class Worker:
    """A process that runs cases, and is ended where one takes too long or too much.

    Args:
        name: of the target.
        folder: with its files.
        options: of the command.
    """

    def __init__(self, name: str, folder: Path, options: argparse.Namespace) -> None:
        self.options = options
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        program = [sys.executable, str(Path(sys.argv[0]).resolve()), "--target", name, "--worker", str(folder)]
        self.process = subprocess.Popen(
            [*program, "--seed", str(options.seed), "--memory", str(options.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        self.rest = b""
        found = self._wait(START_SECONDS, None)
        if "ready" not in found:
            self.errors.seek(0)
            sys.exit(f"fuzz: {name}: the valid inputs fail: {found}\n{self.errors.read().decode(errors='replace')}")
        self.base = self._resident()

    def run(self, number: int) -> dict[str, Any]:
        """What comes of a case."""
        assert self.process.stdin is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(b"%d\n" % number)
            self.process.stdin.flush()
        return self._wait(self.options.seconds, self.options.memory)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    @property
    def is_fit(self) -> bool:
        """Whether it can run another case."""
        return self.process.poll() is None

    def _wait(self, seconds: float, memory: int | None) -> dict[str, Any]:
        assert self.process.stdout is not None  # noqa: S101
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            if select.select([self.process.stdout], [], [], 0.05)[0]:
                more = os.read(self.process.stdout.fileno(), 2**20)
                if not more:
                    self.process.wait()
                    self.errors.seek(0)
                    said = self.errors.read().decode(errors="replace")[-4000:]
                    return {"fault": f"dead ({self.process.returncode})", "detail": said}
                self.rest += more
            elif time.monotonic() > end:
                self.process.kill()
                return {"fault": "time", "detail": f"more than {seconds:g} s"}
            elif memory is not None and self._resident() - self.base > memory * MEGABYTE:
                self.process.kill()
                return {"fault": "memory", "detail": f"more than {memory} MB"}
        line, _, self.rest = self.rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        if found.get("fault") == "memory":
            self.process.kill()  # its peak stands from now on
        return found

    def _resident(self) -> int:
        try:
            return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()
        except (OSError, IndexError):
            return 0


# All cases of a target


def fuzz(name: str, folder: Path, options: argparse.Namespace) -> Report:
    """Run a target's cases."""
    report, lock = Report(), threading.Lock()

    def some(first: int) -> None:
        worker = None
        for number in range(first, options.cases, options.jobs):
            if worker is None or not worker.is_fit:
                worker = Worker(name, folder, options)
            started = time.monotonic()
            found = worker.run(number)
            with lock:
                report.slowest = max(report.slowest, (round(time.monotonic() - started, 2), number))
                note(report, name, folder, number, found, options)
            if found.get("fault", "").startswith(("time", "memory", "dead")):
                worker.close()
                worker = None
        if worker is not None:
            worker.close()

    with ThreadPoolExecutor(options.jobs) as threads:
        list(threads.map(some, range(options.jobs)))
    return report


def note(
    report: Report, name: str, folder: Path, number: int, found: dict[str, Any], options: argparse.Namespace
) -> None:
    """Count what came of a case, and keep the file of a fault."""
    if "fault" not in found:
        report.outcomes[found["outcome"]] += 1
        return
    report.faults.setdefault(found["fault"], []).append(number)
    if options.out:
        chosen, data, _ = case_of(TARGETS[name](), name, folder, options.seed, number)
        kept = Path(options.out) / name
        kept.mkdir(parents=True, exist_ok=True)
        file = kept / f"{options.seed}-{number}-{chosen.replace('/', '_')}"
        file.write_bytes(data)
        file.with_name(f"{file.name}.said").write_text(found["detail"], encoding="utf-8")


def lines(name: str, report: Report, cases: int) -> str:
    """A target's faults, a line each."""
    outcomes = ", ".join(f"{count} {word}" for word, count in report.outcomes.most_common())
    found = [f"{name}: {cases} cases, {report.failed} faults; {outcomes or 'none'}; slowest {report.slowest[0]} s"]
    by_count = sorted(report.faults.items(), key=lambda item: -len(item[1]))
    return "\n".join([*found, *(f"  {len(numbers)} {fault}: cases {numbers[:5]}" for fault, numbers in by_count)])


def print_table(reports: dict[str, Report]) -> None:
    """Counts by target."""
    kinds = ("time", "memory", "dead")
    rows = [("target", "cases", "as it should", "exceptions", *kinds, "wrong")]
    for name, report in reports.items():
        counts: Counter[str] = Counter()
        for fault, numbers in report.faults.items():
            kind = fault.split()[0]
            is_exception = re.fullmatch(r"\w+ in \S+:\d+", fault)
            counts[kind if kind in kinds else "exceptions" if is_exception else "wrong"] += len(numbers)
        right = report.outcomes.total()
        cells = [right + report.failed, right, *(counts[kind] for kind in rows[0][3:])]
        rows.append((name, *map(str, cells)))  # type: ignore[arg-type]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for first, *rest in rows:
        print("  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]))


if __name__ == "__main__":
    sys.exit(main())
