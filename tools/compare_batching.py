"""Batch = single, on a trained run and real recordings.

    python tools/compare_batching.py runs/an4 data/an4/dev.tsv

Transcribes a source one by one, in large batches, and shuffled, and prints how many transcripts differ from the first
way and by how much any confidence does. Ends with an error if a transcript changes, or a confidence by more than 1e-5.
"""

from __future__ import annotations

import random
import sys

import seqpipe
from seqpipe.data.source import read_rows

TOLERANCE = 1e-5


def main(run: str, source: str) -> int:
    predictor = seqpipe.load(run)
    pipeline = predictor.pipeline
    suffixes = pipeline.features.reader.suffixes
    rows = list(read_rows(source, pipeline.recipe.data, suffixes=suffixes, needs_target=False))
    singles = [next(iter(predictor.predict([row]))) for row in rows]
    shuffled = random.Random(0).sample(range(len(rows)), len(rows))
    predictor.batch_steps = 10**9
    together = list(predictor.predict(rows))
    predictor.batch_steps = 20_000
    mixed = dict(zip(shuffled, predictor.predict(rows[index] for index in shuffled), strict=True))
    worst = 0
    for name, answers in (("one batch", together), ("shuffled", [mixed[index] for index in range(len(rows))])):
        pairs = list(zip(singles, answers, strict=True))
        changed = sum(first.text != second.text for first, second in pairs)
        difference = max(abs(first.confidence - second.confidence) for first, second in pairs)
        print(f"{name}: {changed} of {len(rows)} transcripts changed, confidence by at most {difference:.1e}")
        worst |= changed > 0 or difference > TOLERANCE
    return int(worst)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/compare_batching.py RUN SOURCE")
    sys.exit(main(*sys.argv[1:]))
