"""The starter recipe as a user would run it: train, transcribe the held-out recordings, compare.

    python tools/demo.py [RUN_DIRECTORY]

Ends with an error if the word error rate on voices that training never heard is above 3 %.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jiwer

from seqpipe.data.starter.catalogue import starter_data

LIMIT = 3.0  # per cent


def seqpipe(*arguments: str) -> None:
    """Run the command beside this Python, its output passed on."""
    print("$ seqpipe", *arguments, file=sys.stderr, flush=True)
    subprocess.run([str(Path(sys.executable).with_name("seqpipe")), *arguments], check=True)


def main(run: Path) -> int:
    started = time.perf_counter()
    if run.exists() and not (run / "recipe.yaml").is_file() and any(run.iterdir()):
        print(f"{run}: is not empty and no run directory; name another", file=sys.stderr)
        return 2
    shutil.rmtree(run, ignore_errors=True)  # an earlier demo

    seqpipe("train", "speech/starter", "--out", str(run))
    test = starter_data("speech") / "test.tsv"
    answers = run / "test.jsonl"
    seqpipe("infer", str(run), str(test), "--output", str(answers))

    lines = test.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split("\t")
    references = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines[1:]]
    hypotheses = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    for row, answer in zip(references, hypotheses, strict=True):
        if row["id"] != answer["id"]:
            print(f"answers are out of order: {row['id']} beside {answer['id']}", file=sys.stderr)
            return 1
        right = "  " if row["text"] == answer["text"] else "! "
        print(f"{right}{row['voice']:<24} {row['text']:<46} {answer['text']}")
    rate = 100 * jiwer.wer([row["text"] for row in references], [answer["text"] for answer in hypotheses])
    print(f"WER {rate:.1f} %")
    seconds = time.perf_counter() - started
    print(f"{len(references)} recordings of voices that training never heard; {seconds:.0f} s in all")
    print(f"the run lies in {run}, and what it does well and badly in {run}/report.html")
    if rate > LIMIT:
        print(f"that is worse than it should be (at most {LIMIT:g} %)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")))
