"""Kill batch inference at random moments, resume it, and see that the output is the one of a run left alone.

    python tools/soak_infer.py runs/an4 data/an4/train.tsv data/an4/dev.tsv --times 4 --kills 50 --out runs/soak_infer

For each format a run over the inputs, listed as many times over as --times says, is left alone first. Then another is
killed with SIGKILL, its reading processes and all, and started again with --resume, at moments drawn from the length
of the first; it may be killed again before its end, and when it ends, the next begins, until there were so many kills.
Each output must be the first one's, byte for byte, and rows of finished windows must have been kept, never answered
again.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from seqpipe.inference.journal import Journal

FORMATS = {"jsonl": "out.jsonl", "parquet": "out.parquet", "csv": "out.csv", "srt": "out_srt", "ctm": "out_ctm"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run directory")
    parser.add_argument("inputs", nargs="+", help="as for seqpipe infer")
    parser.add_argument("--out", required=True, metavar="DIR", help="absent or empty")
    parser.add_argument("--kills", type=int, default=50, help="for each format")
    parser.add_argument("--times", type=int, default=1, help="how often the inputs are listed")
    parser.add_argument("--formats", default="jsonl,parquet", help=",".join(FORMATS))
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--options", default="", metavar="'--window 64 ...'", help="more options for seqpipe infer")
    options = parser.parse_args()
    folder = Path(options.out)
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"soak: {folder} is not empty; give another --out")
    wrong = [name for name in options.formats.split(",") if name not in FORMATS]
    if wrong:
        sys.exit(f"soak: {wrong[0]} is no format; choose from {', '.join(FORMATS)}")
    return max(soak(options, folder, kind) for kind in options.formats.split(","))


def soak(options: argparse.Namespace, folder: Path, kind: str) -> int:
    """All kills of one format; 1 if an output differs or a row was not kept."""
    began = time.perf_counter()
    finish(start(options, folder / "alone", kind))
    seconds = time.perf_counter() - began
    expected = contents(folder / "alone" / FORMATS[kind])
    print(f"{kind}: left alone {seconds:.1f} s, {sum(map(len, expected.values())):,} bytes", flush=True)
    draw = np.random.default_rng(options.seed)
    kills = outputs = exact = kept_rows = lost = 0
    while kills < options.kills:
        outputs += 1
        out = folder / f"{kind}-{outputs}"
        safe = 0
        while True:
            process = start(options, out, kind)
            moment = draw.uniform(0, seconds) if kills < options.kills else None
            if moment is not None and not ended(process, moment):
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                kills += 1
                safe = safe_rows(out / FORMATS[kind], safe)
                print(f"{kind} {outputs}: kill {kills} after {moment:.1f} s, {safe} rows safe", flush=True)
                continue
            said = finish(process)
            kept = (
                int(found[1].replace(",", "")) if (found := re.search(r"^([\d,]+) more were kept", said, re.M)) else 0
            )
            if kept != safe and "is finished already" not in said:
                lost += 1
                print(f"{kind} {outputs}: {safe} rows were safe, {kept} were kept")
            kept_rows += kept
            break
        same = contents(out / FORMATS[kind]) == expected and not leftovers(out, kind)
        exact += same
        print(f"{kind} {outputs}: {'equal' if same else 'DIFFERS'}", flush=True)
    print(f"{kind}: {kills} kills, {outputs} outputs, {exact} equal, {kept_rows} rows kept", flush=True)
    return 0 if exact == outputs and not lost else 1


def start(options: argparse.Namespace, out: Path, kind: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "seqpipe.cli", "infer", options.run, *options.inputs * options.times]
    command += ["--output", str(out / FORMATS[kind]), "--format", kind, "--resume", *shlex.split(options.options)]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the process ends by itself within this time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def finish(process: subprocess.Popen[str]) -> str:
    said = process.communicate()[1]
    if process.returncode not in (0, 3):
        sys.exit(f"soak: seqpipe infer ended with status {process.returncode}: {said}")
    return said


def safe_rows(output: Path, before: int) -> int:
    """Rows that the journal vouches for; all of those before, at least, whatever was killed since."""
    lines = Journal(str(output)).path
    rows = 0
    if lines.exists():
        for line in lines.read_text(errors="replace").splitlines(keepends=True):
            found = re.search(r'"inputs": (\d+), "kind": "window"', line)
            rows += int(found[1]) if found and line.endswith("\n") else 0
    elif output.exists():
        rows = before
    if rows < before:
        sys.exit(f"soak: {output}: {before} rows were safe, and {rows} are left after a further kill")
    return rows


def contents(output: Path) -> dict[str, bytes]:
    """The output's bytes, of each file if it is a folder."""
    if output.is_dir():
        return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    return {"": output.read_bytes()}


def leftovers(out: Path, kind: str) -> list[Path]:
    """What should be gone when all is done."""
    return [path for path in out.iterdir() if path.name not in (FORMATS[kind], f"{FORMATS[kind]}.journal")]


if __name__ == "__main__":
    sys.exit(main())
