"""Alignment: how near borders of words are to the true ones, whether wrong texts are told, time and memory.

    seqpipe train speech/starter --out runs/starter
    python tools/bench_alignment.py runs/starter
    python tools/bench_alignment.py runs/starter --parts long,search --hours 6

``borders`` and ``verdicts`` make utterances of the starter's test voices anew, with the places of their words as
espeak-ng's own events have them. A border is the beginning of a word, and the end
of the last one; words that espeak-ng joins ("on the") have none between them. A planted text is
that of another utterance, with none of its words in the same place; a planted word is another one of the vocabulary, in
the place of one that was said. ``long`` joins such utterances, with pauses, to a recording and aligns it with all their
texts by the command, in a process of its own. ``search`` is Viterbi alone, over emissions that were made up: peaks at
irregular distances, one in ten of them wrong, 15 a second in steps of 30 ms.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PARTS = ["borders", "verdicts", "long", "search"]
STEP, LABELS_A_SECOND, WRONG = 0.03, 15, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run directory of speech/starter")
    parser.add_argument("--rows", type=int, default=120, help="utterances (default 120)")
    parser.add_argument("--split", default="test", choices=["train", "dev", "test"], help="whose voices")
    parser.add_argument("--hours", type=float, default=1.0, help="of the long recording")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--parts: {', '.join(sorted(unknown))} is not known; known: {', '.join(PARTS)}")
    if {"borders", "verdicts"} & set(parts):
        made = utterances(options.split, options.rows)
        if "borders" in parts:
            show("borders", borders(options.run, made, options.threads))
        if "verdicts" in parts:
            show("verdicts", verdicts(options.run, made, options.threads))
    if "long" in parts:
        show("long", long(options.run, utterances(options.split, options.rows), options.hours, options.threads))
    if "search" in parts:
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            show("search", pool.apply(search, (options.hours,)))


def show(part: str, found: dict[str, Any]) -> None:
    print(json.dumps({"part": part, **found}), flush=True)


def utterances(split: str, count: int) -> list[Any]:
    """The first ones of a split, with the places of their words."""
    from seqpipe.data.starter.espeak import Espeak
    from seqpipe.data.starter.speech import make_utterance

    with Espeak() as espeak:
        return [make_utterance(split, index, espeak) for index in range(count)]


def audio(made: Any) -> dict[str, Any]:
    """An utterance as a model for speech reads it."""
    return {"array": made.samples / 32768.0, "sampling_rate": 16000}


def aligned(run: str, pairs: Sequence[tuple[Any, str]], threads: int) -> list[Any]:
    """Alignments and failures."""
    import seqpipe

    return list(seqpipe.load(run, device="cpu", threads=threads).align(pairs))


def borders(run: str, made: Sequence[Any], threads: int) -> dict[str, Any]:
    """Errors in milliseconds: early ones below 0."""
    import numpy as np

    from seqpipe.answers.failure import Failure

    errors, failed = [], 0
    for own, found in zip(made, aligned(run, [(audio(own), own.text) for own in made], threads), strict=True):
        if isinstance(found, Failure):
            failed += 1
            continue
        places = [*(word.start for word in found.words), found.words[-1].end]
        true = [*own.begins, own.end]
        errors += [1000 * (at - border) for at, border in zip(places, true, strict=True) if border is not None]
    size = np.abs(errors)
    return {
        "failed": failed,
        "borders": len(errors),
        "mean_ms": round(float(size.mean()), 1),
        "median_ms": round(float(np.median(size)), 1),
        "bias_ms": round(float(np.mean(errors)), 1),
        "within_50_ms_per_cent": round(100 * float((size <= 50).mean()), 1),
    }


def verdicts(run: str, made: Sequence[Any], threads: int) -> dict[str, Any]:
    """Shares in per cent of planted texts and words that are told, and of right ones that are accused."""
    import numpy as np

    from seqpipe.answers.failure import Failure
    from seqpipe.data.starter.speech import VOCABULARY

    generator = np.random.default_rng(1)
    wrong, planted, places = [], [], []
    for own in made:
        words = own.text.split()
        others = [o.text for o in made if not any(a == b for a, b in zip(o.text.split(), words, strict=False))]
        wrong.append((audio(own), str(generator.choice(others))))
        places.append(int(generator.integers(len(words))))
        words[places[-1]] = str(generator.choice(sorted(VOCABULARY - {words[places[-1]]})))
        planted.append((audio(own), " ".join(words)))
    right = aligned(run, [(audio(own), own.text) for own in made], threads)
    in_wrong, in_planted = aligned(run, wrong, threads), aligned(run, planted, threads)
    # A text that doesn't fit into the recording at all is told too.
    told = [isinstance(found, Failure) or not found.verdict.found for found in in_wrong]
    words = [
        isinstance(found, Failure) or found.words[place].verdict.found is False
        for found, place in zip(in_planted, places, strict=True)
    ]
    failed = sum(isinstance(found, Failure) for found in right)
    right = [found for found in right if not isinstance(found, Failure)]
    accused = [word.verdict.found is False for found in right for word in found.words]
    return {
        "texts": len(made),
        "failed": failed,
        "wrong_texts_told": round(100 * float(np.mean(told)), 1),
        "right_texts_accused": round(100 * float(np.mean([not found.verdict.found for found in right])), 1),
        "wrong_words_told": round(100 * float(np.mean(words)), 1),
        "right_words_accused": round(100 * float(np.mean(accused)), 1),
        "lowest_right_ratios": sorted(round(found.verdict.ratio, 2) for found in right)[:5],
        "highest_wrong_ratios": sorted(round(f.verdict.ratio, 2) for f in in_wrong if not isinstance(f, Failure))[-5:],
    }


def long(run: str, made: Sequence[Any], hours: float, threads: int) -> dict[str, Any]:
    """A recording of hours, by the command."""
    import numpy as np
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        texts, begins, at, number = [], [], 0, 0
        with soundfile.SoundFile(f"{folder}/long.wav", "w", 16000, 1, "PCM_16") as file:
            while at < hours * 3600 * 16000 - 16000 * 10:
                own = made[number % len(made)]
                begins.append(at / 16000 + own.begins[0])
                for samples in (own.samples, np.zeros(16000 // 4, dtype=np.int16)):
                    file.write(samples)
                    at += len(samples)
                texts.append(own.text)
                number += 1
        Path(folder, "long.txt").write_text("\n".join(texts) + "\n")
        command = [sys.executable, "-m", "seqpipe", "align", run, f"{folder}/long.wav", "--text", f"{folder}/long.txt"]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command += ["--output", f"{folder}/out.jsonl", "--threads", str(threads), "--device", "cpu", "--workers", "0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(done.stderr)
        (line,) = map(json.loads, Path(folder, "out.jsonl").read_text().splitlines())
    errors = np.abs([own["start"] - begin for own, begin in zip(line["lines"], begins, strict=True)])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "hours": round(at / 16000 / 3600, 2),
        "words": len(line["words"]),
        "seconds": round(elapsed, 1),
        "processor_seconds": round(cpu, 1),
        "times_real_time": round(at / 16000 / elapsed, 1),
        "times_real_time_of_processor": round(at / 16000 / cpu, 1),
        "peak_mb": after.ru_maxrss // 1024,
        "begins_of_texts_mean_ms": round(1000 * float(errors.mean()), 1),
        "texts_not_found": sum(not own["found"] for own in line["lines"]),
        "said": done.stderr.strip().splitlines()[-1],
    }


def search(hours: float) -> dict[str, Any]:
    """Viterbi alone, with what the interpreter and numpy take."""
    import numpy as np

    from seqpipe.decoding.ctc_alignment import InMemory
    from seqpipe.decoding.ctc_band import EXACT_CELLS, align_any

    generator = np.random.default_rng(1)
    steps, count = int(hours * 3600 / STEP), int(hours * 3600 * LABELS_A_SECOND)
    labels = generator.integers(1, 28, count)
    places = np.sort(generator.choice(steps // 2, count, replace=False)) * 2  # a blank at least between two
    said = np.where(generator.random(count) < WRONG, generator.integers(1, 28, count), labels)
    values = generator.normal(-8, 1, (steps, 29)).astype(np.float32)
    values[:, 0] = -0.01
    values[places, 0] = -5.0
    values[places, said] = -0.05
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, wall = time.process_time(), time.perf_counter()
    path = align_any(InMemory(values), labels.tolist())
    cpu, elapsed = time.process_time() - started, time.perf_counter() - wall
    return {
        "hours": hours,
        "steps": steps,
        "labels": count,
        "exact": steps * count <= EXACT_CELLS,
        "processor_seconds": round(cpu, 1),
        "seconds": round(elapsed, 1),
        "times_real_time_of_processor": round(hours * 3600 / cpu, 0),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "of_which_before_mb": base // 1024,
        "labels_in_place_per_cent": round(100 * float((path.starts == places).mean()), 2),
    }


if __name__ == "__main__":
    main()
