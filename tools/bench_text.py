"""Text from end to end: a BiLSTM-CRF tagger against Flair's, and `seqpipe infer` over very many sentences.

    uv venv flair && uv pip install --python flair/bin/python flair==0.15.1
    python tools/bench_text.py --ewt data/ewt --flair-python flair/bin/python
    python tools/bench_text.py --parts infer --run runs/mr --lines data/mr.txt

Flair's dependencies have upper bounds (transformers below 5) that need not fit other packages: it gets an environment
of its own, and a process; nothing is downloaded. What goes over to it are the sentences, as words.

``tagging``: parts of speech of UD English EWT. The same layers on both sides: word vectors of 100 and a character
BiLSTM of 25 each way, both learnt from the start, a BiLSTM of 256 each way, a linear-chain CRF; the same vocabulary,
dropout, AdamW, clipping, and the same sentences, 32 a batch, drawn at random. Flair's trainer leaves them so; seqpipe's
puts sentences of similar length together: both are measured with both, and the third line is each as it trains. A step
begins with words in memory. It is timed batch by batch, the sides in turn, each batch by its median over the rounds.
Prediction is the whole of dev, by the median of the rounds; where batches have a given size (seqpipe makes its own from
a list), the fastest of --sizes counts.
Flair answers with a tag and the share of a partial path; seqpipe also with the posterior of each tag and of the whole,
and with places in the text.

``infer``: the command over lines of a text file, repeated with numbers behind them so that no two are equal.

The CRF by itself, against pytorch-crf: tools/bench_crf.py.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench_infer import expect_answers, timed_infer
from bench_recipe import positive
from side_process import SideProcess

SIDES = {"flair": "Flair", "fp32": "seqpipe", "bf16": "seqpipe, bf16"}
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts",
        type=names_of(["tagging", "infer"]),
        default=["tagging"],
        metavar="PART,...",
        help="tagging, infer or both (default tagging)",
    )
    parser.add_argument("--threads", type=positive, default=2)
    tagging = parser.add_argument_group("tagging")
    tagging.add_argument("--ewt", type=Path, default=Path("data/ewt"), help="folder with train.tsv and dev.tsv")
    tagging.add_argument("--flair-python", default=sys.executable, help="of the environment that has flair")
    tagging.add_argument("--sides", type=names_of(SIDES), default=list(SIDES), metavar="SIDE,...",
                         help=f"which of {','.join(SIDES)}; the ratios are to flair")  # fmt: skip
    tagging.add_argument("--batches", type=positive, default=50)
    tagging.add_argument("--rounds", type=positive, default=3)
    tagging.add_argument("--dev-sentences", type=positive, help="fewer than all, to try the tool")
    tagging.add_argument("--sizes", default="32,128,512", help="of batches in prediction")
    inference = parser.add_argument_group("infer")
    inference.add_argument("--run", help="run directory of a classifier of texts")
    inference.add_argument("--lines", type=Path, help="a text a line")
    inference.add_argument("--counts", default="1000,10000,100000", help="of sentences")
    options = parser.parse_args()
    parts = options.parts
    if "infer" in parts and not (options.run and options.lines):
        parser.error("--parts infer needs --run and --lines")
    # As the seqpipe command does, and for all sides: threads that wait don't spin for long.
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    with tempfile.TemporaryDirectory() as folder:
        if "tagging" in parts:
            tag(options, Path(folder))
        if "infer" in parts:
            infer(options, Path(folder))


def names_of(known: Iterable[str]) -> Any:
    """Reads an option that names some of these, with commas between."""

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := set(found) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
        return found

    return names


# Tagging


def start(name: str, job: Path, options: argparse.Namespace) -> SideProcess:
    """A process with one of the taggers."""
    flair = name == "flair"
    command = [options.flair_python if flair else sys.executable, str(Path(__file__).with_name("tagging_sides.py"))]
    return SideProcess(
        SIDES[name], [*command, name, str(job)], "--flair-python names a Python that has flair" if flair else ""
    )


def tag(options: argparse.Namespace, folder: Path) -> None:
    train, dev = (read_sentences(options.ewt / f"{part}.tsv") for part in ("train", "dev"))
    dev = dev[: options.dev_sentences]
    draw = random.Random(1)
    drawn = draw.sample(range(len(train)), min(len(train), BATCH * options.batches))
    mixed = [drawn[start : start + BATCH] for start in range(0, len(drawn), BATCH)]
    batches = [*mixed, *similar_batches(train, drawn)]
    job = folder / "job.json"
    job.write_text(json.dumps({"train": train, "dev": dev, "batches": batches, "threads": options.threads}))
    sides = {name: start(name, job, options) for name in options.sides}
    tasks = {name: side.call("facts") for name, side in sides.items()}
    alike = {tuple(task[what] for what in ("words", "characters", "tags")) for task in tasks.values()}
    if len(alike) > 1:
        sys.exit(f"bench_text: the sides don't have the same task: {tasks}")
    sizes = [int(size) for size in options.sizes.split(",")]
    training = train_in_turn(sides, len(batches), options.rounds)
    predicted = predict_in_turn(sides, options.rounds, sizes)
    facts = {name: side.call("facts") for name, side in sides.items()}
    for side in sides.values():
        side.close()
    words = sum(len(words) for words, _ in dev)
    rates = {
        "training, sentences a second, mixed lengths": {
            name: len(drawn) / sum(seconds[: len(mixed)]) for name, seconds in training.items()
        },
        "... similar lengths": {name: len(drawn) / sum(seconds[len(mixed) :]) for name, seconds in training.items()},
    }
    mixed_rates, similar_rates = rates.values()
    own = {name: (mixed_rates if name == "flair" else similar_rates)[name] for name in sides}
    report(options, facts, {**rates, "... each as it trains": own}, predicted, len(dev), words)


def read_sentences(path: Path) -> list[tuple[list[str], list[str]]]:
    from seqpipe.config.recipe import DataConfig
    from seqpipe.data.source import read_rows

    config = DataConfig(format="columns", columns=["form", "upos", "xpos"], input="form", target="upos")
    rows = read_rows(str(path), config, suffixes=frozenset())
    return [(list(row.input), list(row.target)) for row in rows]


def similar_batches(sentences: Sequence[Any], drawn: Sequence[int]) -> list[list[int]]:
    """The drawn sentences in batches of similar length, as training makes them of an epoch."""
    import numpy as np

    from seqpipe.data.batching import plan_batches

    lengths = [len(sentences[row][0]) for row in drawn]
    plan = plan_batches(lengths, budget=100_000, max_rows=BATCH, generator=np.random.default_rng(1))
    return [[drawn[place] for place in batch] for batch in plan]


def train_in_turn(sides: dict[str, SideProcess], count: int, rounds: int) -> dict[str, list[float]]:
    """Median seconds of each side for each batch."""
    taken: dict[str, list[list[float]]] = {name: [[] for _ in range(count)] for name in sides}
    for side in sides.values():
        for batch in range(0, count, max(1, count // 8)):
            side.call("train", batch)  # warms up
    for _ in range(rounds):
        for batch in range(count):
            for name, side in sides.items():
                taken[name][batch].append(side.call("train", batch)["seconds"])
    return {name: [statistics.median(times) for times in batches] for name, batches in taken.items()}


def predict_in_turn(
    sides: dict[str, SideProcess], rounds: int, sizes: list[int]
) -> dict[str, dict[tuple[str, int], Any]]:
    """The answers of each side by the call and the size of its batches; seconds are medians."""
    found: dict[str, dict[tuple[str, int], Any]] = {name: {} for name in sides}
    for repeat in range(rounds + 1):
        for kind in ("predict", "predict_ready"):
            for name, side in sides.items():
                for size in sizes if name == "flair" or kind == "predict_ready" else [0]:
                    answer = side.call(kind, size)
                    kept = found[name].setdefault((kind, size), {**answer, "times": []})
                    if repeat:  # the first warms up
                        kept["times"].append(answer["seconds"])
    for answers in found.values():
        for answer in answers.values():
            answer["seconds"] = statistics.median(answer["times"])
    return found


def report(
    options: argparse.Namespace,
    facts: dict[str, Any],
    training: dict[str, dict[str, float]],
    predicted: dict[str, dict[tuple[str, int], Any]],
    sentences: int,
    words: int,
) -> None:
    from seqpipe.run_directory import environment

    fact = next(iter(facts.values()))
    print(f"{fact['words']} words, {fact['characters']} characters and {fact['tags']} tags on every side; "
          f"{options.batches} batches of {BATCH} sentences, {sentences} sentences of dev ({words} words); "
          f"{environment()['machine']['processor']}, {options.threads} threads, median of {options.rounds}, "
          f"all sides in turn")  # fmt: skip
    print("\n| |" + "".join(f" {SIDES[name]} |{' times |' if name != 'flair' else ''}" for name in facts))
    print("|---|" + "---|" * (2 * len(facts) - ("flair" in facts)))
    rows = list(training.items())
    notes = []
    for kind, title in (
        ("predict", "prediction, sentences a second, from words"),
        ("predict_ready", "... from ready inputs"),
    ):
        best = {}
        for name, answers in predicted.items():
            seconds, size = min((answer["seconds"], size) for (key, size), answer in answers.items() if key == kind)
            best[name] = sentences / seconds
            if size:
                notes.append(f"{SIDES[name]} {title.strip('. ')}: fastest in batches of {size}")
        rows.append((title, best))
    for title, values in rows:
        cells = [f"{values[name]:.4g} |" + ratio(name, values) for name in values]
        print(f"| {title} | {' '.join(cells)}")
    for title, key, scale in (("parameters, millions", "parameters", 1e6), ("peak memory, MB", "megabytes", 1.0)):
        cells = [f"{facts[name][key] / scale:.4g} |" + ("  |" if name != "flair" else "") for name in facts]
        print(f"| {title} | {' '.join(cells)}")
    shares = [f"{SIDES[name]} {100 * next(iter(answers.values()))['right'] / words:.1f} %" for name, answers in
              predicted.items()]  # fmt: skip
    print(f"\nright tags of dev after these steps: {', '.join(shares)}\n" + "\n".join(notes))


def ratio(name: str, values: dict[str, float]) -> str:
    """A cell for the ratio to Flair."""
    if name == "flair":
        return ""
    return f" {values[name] / values['flair']:.1f} |" if "flair" in values else "  |"


# Many sentences through the command


def infer(options: argparse.Namespace, folder: Path) -> None:
    texts = [line for line in options.lines.read_text(encoding="utf-8").splitlines() if line.strip()]
    print("\n| sentences | seconds | sentences a second | peak memory, MB |\n|---|---|---|---|")
    for count in map(int, options.counts.split(",")):
        listed, out = folder / f"{count}.txt", folder / f"{count}.jsonl"
        with listed.open("w", encoding="utf-8") as file:
            file.writelines(f"{text} {number}\n" for number, text in enumerate(islice(cycle(texts), count)))
        seconds, megabytes = timed_infer(options.run, listed, out, options.threads)
        expect_answers(out, count)
        print(f"| {count:,} | {seconds:.1f} | {count / seconds:.0f} | {megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
