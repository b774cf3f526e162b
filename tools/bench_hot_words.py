"""Hot words: how many of the words that greedy decoding misses are found when they are listed, and what that costs.

    python tools/bench_hot_words.py runs/starter --part dev
    python tools/bench_hot_words.py runs/an4 --part test --distractors 50 --weights 0.5 1 2 decoding.lm=words.arpa

Listed are the words of the part that greedy decoding misses where they stand, and ``--distractors`` others of the
training texts. A missed word is found if it stands in its place with them, by the alignment that the word error rate is
counted with. A false one is a listed word that stands in the place of another, or of none; greedy decoding has such
words too. The line of weight 0 is the search by itself. The model is run once.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run directory of a model with a CTC head")
    parser.add_argument("--part", default="dev", choices=["dev", "test"], help="of the run's recipe (default dev)")
    parser.add_argument("--data", help="a source in its place")
    parser.add_argument(
        "--distractors", type=int, default=50, metavar="N", help="other words that are listed (default 50)"
    )
    parser.add_argument(
        "--weights", type=float, nargs="+", metavar="W", help="hot_word_weight (default: 0 and the default)"
    )
    parser.add_argument("--missed", action="store_true", help="print each missed word with what stands in its place")
    parser.add_argument("--seed", type=int, default=1, help="of the distractors")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("decoding", nargs="*", help="decoding.KEY=VALUE, beside the method")
    options = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS=str(options.threads), GOMP_SPINCOUNT="1000")
    given = {}
    for setting in options.decoding:
        key, equals, value = setting.partition("=")
        if not equals or not key.startswith("decoding."):
            parser.error(f"{setting}: should be decoding.KEY=VALUE")
        given[key.removeprefix("decoding.")] = value
    for line in measure(
        options.run,
        options.part,
        data=options.data,
        distractors=options.distractors,
        weights=options.weights,
        decoding=given,
        seed=options.seed,
        missed=options.missed,
        threads=options.threads,
    ):
        print(json.dumps(line, ensure_ascii=False), flush=True)


def measure(
    run: str,
    part: str = "dev",
    *,
    data: str | None = None,
    distractors: int = 50,
    weights: Sequence[float] | None = None,
    decoding: Mapping[str, Any] | None = None,
    seed: int = 1,
    missed: bool = False,
    threads: int = 1,
) -> list[dict[str, Any]]:
    """What is listed; then of each weight the share of missed words that are found, and of false ones, in per cent."""
    import numpy as np
    import torch

    import seqpipe
    from seqpipe.config.recipe import override_decoding
    from seqpipe.data.source import data_root, read_rows, training_rows
    from seqpipe.errors import InputError
    from seqpipe.evaluation.scores.tune_decoding import encoded_rows
    from seqpipe.metrics.alignment import align
    from seqpipe.text.splitting import words_of

    predictor = seqpipe.load(run, device="cpu", threads=threads, calibrated=False)
    pipeline = predictor.pipeline
    config, head, suffixes = pipeline.recipe.data, pipeline.head, pipeline.features.reader.suffixes
    source, root = (data, None) if data is not None else (getattr(config, part), data_root(config))
    rows = list(read_rows(source, config, suffixes=suffixes, needs_id=False, root=root))
    batches = encoded_rows(pipeline, rows)

    def pairs(**own: Any) -> list[list[tuple[str, str]]]:
        """Words that were said beside those that were heard, of each row."""
        answers: list[Any] = [None] * len(rows)
        chosen = override_decoding(pipeline.recipe, own)
        with torch.inference_mode():
            for places, encoded in batches:
                for place, found in zip(places, head.decode(encoded, chosen), strict=True):
                    answers[place] = head.answer(rows[place].id, found, pipeline.location(rows[place].input, None))
        return [list(row) for row in align(*head.metric.comparable([row.target for row in rows], answers))]

    greedy = pairs(method="greedy")
    wanted = [[said != heard for said, heard in row if said] for row in greedy]

    def spelt(words: set[str]) -> list[str]:
        """Those that the model can write at all."""
        kept = []
        for word in sorted(words):
            try:
                head.encode_target(word)
            except InputError:
                continue
            kept.append(word)
        return kept

    words = spelt({said for row in greedy for said, heard in row if said and said != heard})
    texts = head.metric.comparable([row.target for row in training_rows(config, suffixes=suffixes)], [])[0]
    others = spelt({word for text in texts for word in words_of(text)} - set(words))
    generator = np.random.default_rng(seed)
    listed = [*words, *generator.permutation(others)[:distractors].tolist()]
    if not listed:
        raise SystemExit("greedy decoding misses nothing, and there are no distractors: there is nothing to list")
    total = sum(map(len, wanted))
    lines: list[dict[str, Any]] = [
        {
            "source": str(source),
            "words": total,
            "missed": sum(map(sum, wanted)),
            "listed": len(listed),
            "of_which_distractors": len(listed) - len(words),
            "greedy_wer": round(100 * _errors(greedy) / total, 2),
            "greedy_false_per_cent": round(100 * _false(greedy, set(listed)) / total, 2),
        }
    ]
    default = head.decoding.model_fields["hot_word_weight"].default
    for weight in weights if weights is not None else [0.0, default]:
        found = pairs(method="beam", **(decoding or {}), hot_words=listed, hot_word_weight=weight)
        now = [[(said, heard) for said, heard in row if said] for row in found]
        there = sum(
            was and said == heard
            for row, before in zip(now, wanted, strict=True)
            for (said, heard), was in zip(row, before, strict=True)
        )
        lines.append(
            {
                "weight": weight,
                "found": there,
                "found_per_cent": round(100 * there / max(1, lines[0]["missed"]), 1),
                "false_per_cent": round(100 * _false(found, set(listed)) / total, 2),
                "wer": round(100 * _errors(found) / total, 2),
            }
        )
        if missed:
            lines[-1]["still_missed"] = [
                f"{said}: {heard}"
                for row, before in zip(now, wanted, strict=True)
                for (said, heard), was in zip(row, before, strict=True)
                if was and said != heard
            ]
            lines[-1]["false"] = [
                f"{said}: {heard}" for row in found for said, heard in row if heard in listed and said != heard
            ]
    return lines


def _errors(rows: Sequence[Sequence[tuple[str, str]]]) -> int:
    return sum(said != heard for row in rows for said, heard in row)


def _false(rows: Sequence[Sequence[tuple[str, str]]], listed: set[str]) -> int:
    """Listed words that were heard where they were not said."""
    return sum(heard in listed and said != heard for row in rows for said, heard in row)


if __name__ == "__main__":
    main()
