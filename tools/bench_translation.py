"""Translation: training and beam search of an attentive recurrent translator, against joeynmt's.

    uv venv joey && uv pip install --python joey/bin/python joeynmt==2.3.0 importlib_metadata "torch<2.15"
    python tools/bench_translation.py --data data/multi30k --joey-python joey/bin/python

joeynmt's dependencies have upper bounds (protobuf below 3.21) that don't fit other packages: it gets an environment of
its own, and a process; nothing is downloaded. What goes over to it are the sentences and the SentencePiece model.

The same layers on both sides: one table of embeddings of 512 for input, output and last layer (8,000 units, learnt
from both languages together), two BiLSTM layers of 256 each way, an LSTM of 512 with Luong's general attention that
begins at zero, without input feeding (``--sides feeding`` is joeynmt with it, as it is by default); the same dropout,
label smoothing, AdamW and clipping; the same limit and normalisation in the search; no end behind the source, which
joeynmt's loader adds. seqpipe's head writes only those units that training's targets hold (``--threshold``); joeynmt's,
with one table for both languages, all. A step begins with the units of a batch in memory. Both sides see the same
batches; each is timed once, the sides in turn, after some that warm up, and the medians of tokens a second (of the
target, ends included) count. joeynmt's trainer draws its batches at random, seqpipe's puts sentences of similar length
together: both are measured with both, and the third line is each as it trains.
For translation one of seqpipe's sides then learns some epochs more, and all sides go on with its weights, so that they
do the same work and write the same texts, but for rounding and for what their searches give up. It is the whole of
dev, from units to text, by the median of the rounds; the fastest of --sizes counts.
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
from side_process import SideProcess
from translation_sides import BEAM, JOEY, pipeline

MIXED, SIMILAR, WARM = "mixed lengths", "similar lengths", 3
SIDES = {"joeynmt": "joeynmt", "feeding": "joeynmt, input feeding", "fp32": "seqpipe", "bf16": "seqpipe, bf16"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/multi30k"), help="folder with train.en, dev.en, ...")
    parser.add_argument("--source", default="en")
    parser.add_argument("--target", default="de")
    parser.add_argument("--joey-python", default=sys.executable, help="of the environment that has joeynmt")
    parser.add_argument("--sides", default="joeynmt,fp32,bf16", help=f"some of {','.join(SIDES)}")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--batch", type=positive, default=128, help="sentences of a batch in training")
    parser.add_argument("--batches", type=positive, default=200)
    parser.add_argument("--vocabulary", type=positive, default=8000)
    parser.add_argument(
        "--threshold", type=int, default=1, help="vocabulary_threshold of seqpipe's head; 0: it writes all units too"
    )
    parser.add_argument("--training-batches", type=int, default=600, help="batches that are learnt before translation")
    parser.add_argument("--rounds", type=positive, default=3, help="of translation")
    parser.add_argument("--sizes", default="32,128", help="of batches in translation")
    parser.add_argument("--dev-sentences", type=positive, help="fewer than all, to try the tool")
    options = parser.parse_args()
    options.sides = options.sides.split(",")
    if unknown := set(options.sides) - set(SIDES):
        parser.error(f"--sides: {', '.join(sorted(unknown))} is none of {', '.join(SIDES)}")
    if set(options.sides) <= set(JOEY):
        parser.error("--sides: needs one of seqpipe's, whose weights all translate with")
    # As the seqpipe command does, and for all sides: threads that wait don't spin for long.
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Train and translate in turn, and print the figures."""
    train, dev = (read_pairs(options, part) for part in ("train", "dev"))
    dev = dev[: options.dev_sentences]
    features, model, lengths = learn_units(train, options.vocabulary, folder)
    ways = {
        way: batches_of(lengths, options.batch, options.batches + WARM, similar=way == SIMILAR)
        for way in (MIXED, SIMILAR)
    }
    if len(ways[MIXED]) <= WARM:
        sys.exit(f"bench_translation: {len(train)} pairs are too few for {WARM + 1} batches of {options.batch}")
    batches = [batch for way in ways.values() for batch in way]
    job = folder / "job.json"
    job.write_text(
        json.dumps(
            {
                "train": train,
                "dev": dev,
                "batches": batches,
                "training_batches": training_batches_of(lengths, options.batch, options.training_batches),
                "threads": options.threads,
                "vocabulary": options.vocabulary,
                "threshold": options.threshold,
                "features": str(features),
                "model": str(model),
            }
        )
    )
    sides = {name: start(name, job, options) for name in options.sides}
    speeds: dict[str, dict[str, list[float]]] = {way: {name: [] for name in sides} for way in ways}
    number = 0
    for way, found in ways.items():
        for place, batch in enumerate(found):
            tokens = sum(lengths[row][1] + 1 for row in batch)
            for name, side in sides.items():
                answer = side.call("train", number)
                if place >= WARM:
                    speeds[way][name].append(tokens / answer["seconds"])
            number += 1
    teacher = sides["bf16"] if "bf16" in sides else sides["fp32"]
    teacher.call("teach")
    teacher.call("save")
    for side in sides.values():
        side.call("load")
    sizes = [int(size) for size in options.sizes.split(",")]
    taken: dict[str, dict[int, list[float]]] = {name: {size: [] for size in sizes} for name in sides}
    texts: dict[str, list[str]] = {}
    for repeat in range(options.rounds + 1):
        for name, side in sides.items():
            for size in sizes:
                answer = side.call("translate", size)
                texts[name] = answer["texts"]
                if repeat:  # the first warms up
                    taken[name][size].append(answer["seconds"])
    facts = {name: side.call("facts") for name, side in sides.items()}
    for side in sides.values():
        side.close()
    report(options, dev, speeds, taken, texts, facts)


def read_pairs(options: argparse.Namespace, part: str) -> list[tuple[str, str]]:
    """Sentences and their translations."""
    from seqpipe.config.recipe import DataConfig
    from seqpipe.data.source import read_rows

    config = DataConfig(format="parallel", input=options.source, target=options.target)
    rows = read_rows(part, config, suffixes=frozenset(), root=options.data)
    return [(row.input, row.target) for row in rows]


def learn_units(pairs: Sequence[tuple[str, str]], size: int, folder: Path) -> tuple[Path, Path, list[tuple[int, int]]]:
    """The assets of seqpipe's features, the SentencePiece model in them, and the units of each pair."""
    from seqpipe.core.chain import FeatureChain
    from seqpipe.core.stage import StageConfig

    stages = [StageConfig.parse(stage) for stage in pipeline(size, 0)["features"]]
    features = FeatureChain(stages=stages)
    features.fit([source for source, _ in pairs], [target for _, target in pairs])
    assets = folder / "features"
    assets.mkdir()
    features.save_assets(assets)
    (model,) = assets.glob("**/*.model")
    tokens: Any = features.reader
    known = tokens.known
    return assets, model, [(len(known.encode(source)), len(known.encode(target))) for source, target in pairs]


def batches_of(lengths: Sequence[tuple[int, int]], size: int, most: int, *, similar: bool) -> list[list[int]]:
    """Pairs in batches, at random, or each of similar length; in an order that is drawn."""
    draw = random.Random(1)
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    if not similar:
        draw.shuffle(order)
    batches = [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
    draw.shuffle(batches)
    return batches[:most]


def training_batches_of(lengths: Sequence[tuple[int, int]], size: int, count: int) -> list[list[int]]:
    """Batches of pairs of similar length, epoch after epoch."""
    batches = batches_of(lengths, size, len(lengths), similar=True)
    return [batches[number % len(batches)] for number in range(count)] if batches else []


def start(name: str, job: Path, options: argparse.Namespace) -> SideProcess:
    """A process with one of the translators."""
    joey = name in JOEY
    command = [options.joey_python if joey else sys.executable, str(Path(__file__).with_name("translation_sides.py"))]
    hint = "--joey-python names a Python that has joeynmt" if joey else ""
    return SideProcess(SIDES[name], [*command, name, str(job)], hint)


def report(
    options: argparse.Namespace,
    dev: Sequence[tuple[str, str]],
    speeds: dict[str, dict[str, list[float]]],
    taken: dict[str, dict[int, list[float]]],
    texts: dict[str, list[str]],
    facts: dict[str, Any],
) -> None:
    from sacrebleu.metrics.bleu import BLEU

    from seqpipe.run_directory import environment

    base = options.sides[0]
    median = {
        name: {size: statistics.median(times) for size, times in by_size.items()} for name, by_size in taken.items()
    }
    best = {name: min(by_size.values()) for name, by_size in median.items()}
    training = {
        way: {name: statistics.median(found) for name, found in by_name.items()} for way, by_name in speeds.items()
    }
    references = [[target for _, target in dev]]
    words = {name: sum(len(text.split()) for text in found) / len(dev) for name, found in texts.items()}
    bleu = {name: BLEU().corpus_score(found, references).score for name, found in texts.items()}
    rows: list[tuple[str, dict[str, float], bool]] = [
        *((f"training, tokens a second, {way}", found, True) for way, found in training.items()),
        ("... each as it trains", {name: training[MIXED if name in JOEY else SIMILAR][name] for name in best}, True),
        (f"translation, beam {BEAM}, sentences a second", {name: len(dev) / best[name] for name in best}, True),
        *(
            (f"... in batches of {size}", {name: len(dev) / median[name][size] for name in median}, True)
            for size in map(int, options.sizes.split(","))
        ),
        ("words a translation", words, False),
        ("BLEU", bleu, False),
        ("same texts as the first, %", {name: agreed(found, texts[base]) for name, found in texts.items()}, False),
        ("units", {name: float(fact["labels"]) for name, fact in facts.items()}, False),
        ("parameters, millions", {name: fact["parameters"] / 1e6 for name, fact in facts.items()}, False),
        ("peak memory, MB", {name: fact["megabytes"] for name, fact in facts.items()}, False),
    ]  # fmt: skip
    print(
        f"{len(speeds[MIXED][base])} batches of {options.batch} pairs, {len(dev)} sentences of dev; "
        f"{environment()['machine']['processor']}, {options.threads} threads, median of {options.rounds}, "
        "all sides in turn"
    )
    print("\n| |" + "".join(f" {SIDES[name]} |{' times |' if name != base else ''}" for name in options.sides))
    print("|---|" + "---|" * (2 * len(options.sides) - 1))
    for title, values, compared in rows:
        cells = []
        for name in options.sides:
            cells.append(f" {values[name]:.4g} |")
            if name != base:
                cells.append(f" {values[name] / values[base]:.2f} |" if compared else " |")
        print(f"| {title} |{''.join(cells)}")


def agreed(texts: Sequence[str], others: Sequence[str]) -> float:
    """Texts that are the same, in per cent."""
    return 100 * statistics.fmean(text == other for text, other in zip(texts, others, strict=True))


if __name__ == "__main__":
    main()
