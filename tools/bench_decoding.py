"""CTC beam search against flashlight-text with KenLM, on the same emissions, one thread each, in one run.

    uv venv --python 3.11 /tmp/fl && uv pip install --python /tmp/fl/bin/python flashlight-text numpy
    python tools/bench_decoding.py runs/an4 --flashlight /tmp/fl/bin/python --units-lm characters.arpa \
        --words-lm words.arpa --lexicon words.txt [--rows 64] [--infer]

Prints a table of processor milliseconds a row without a language model, with one over units, and with a lexicon and one
over words; with --infer also the whole of `seqpipe infer` beside greedy's. flashlight-text has wheels for Python 3.9 to
3.12; its process gets the emissions as a file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BEAM, LM_WEIGHT, BONUS = 50, 0.5, 1.0
REPEATS = 3


def cases(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What is measured: options of ``decoding``."""
    shared = {"lm_weight": LM_WEIGHT, "insertion_bonus": BONUS}
    found: dict[str, dict[str, Any]] = {"no language model": {}}
    if options.units_lm:
        found["units"] = {"lm": options.units_lm, **shared}
    if options.words_lm and options.lexicon:
        found["lexicon and words"] = {"lm": options.words_lm, "lexicon": options.lexicon, **shared}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run directory with a CTC head")
    parser.add_argument("--part", default="dev")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--units-lm", metavar="ARPA", help="over the head's units, a space as ▁")
    parser.add_argument("--words-lm", metavar="ARPA")
    parser.add_argument("--lexicon", metavar="FILE", help="words, one a line")
    parser.add_argument("--flashlight", metavar="PYTHON", help="of an environment with flashlight-text")
    parser.add_argument("--infer", action="store_true", help="the whole of infer too, with the last of the cases")
    options = parser.parse_args()

    import numpy as np
    import torch

    from seqpipe.data.source import data_root, read_rows
    from seqpipe.decoding.prefix_search import prefix_search
    from seqpipe.evaluation.scores.tune_decoding import encoded_rows
    from seqpipe.heads.ctc import CTCHead
    from seqpipe.heads.ctc_decoding import CTCDecoding
    from seqpipe.pipeline import Pipeline

    torch.set_num_threads(1)
    pipeline = Pipeline.load(Path(options.run))
    head, data = pipeline.head, pipeline.recipe.data
    if not isinstance(head, CTCHead):
        sys.exit(f"{options.run}: has a {type(head).__name__}; this is about CTC")
    suffixes, source = pipeline.features.reader.suffixes, getattr(data, options.part)
    rows = list(read_rows(source, data, suffixes=suffixes, needs_id=False, root=data_root(data)))[: options.rows]
    emissions: list[Any] = [None] * len(rows)
    with torch.inference_mode():
        for places, encoded in encoded_rows(pipeline, rows):
            values, lengths = head(encoded)
            for place, row, length in zip(places, values, lengths.tolist(), strict=True):
                emissions[place] = row[:length].float().cpu().numpy()
    steps = sum(map(len, emissions)) / len(emissions)
    print(f"{options.run}: {len(rows)} rows of {options.part}, {steps:.0f} steps each, {head.output_size} labels")
    ours: dict[str, float] = {}
    for name, chosen in cases(options).items():
        decoding = CTCDecoding(method="beam", beam=BEAM, **chosen)
        scorer = head.prefix_scorer(decoding)
        prefix_search(emissions, decoding.limits, scorer)
        times = []
        for _ in range(REPEATS):
            started = time.process_time()
            prefix_search(emissions, decoding.limits, scorer)
            times.append(time.process_time() - started)
        ours[name] = sorted(times)[REPEATS // 2] / len(rows) * 1000
    theirs: dict[str, float] = {}
    if options.flashlight:
        with tempfile.TemporaryDirectory() as folder:
            pieces = [head.units.piece(number) for number in range(len(head.units))]
            words = Path(options.lexicon).read_text(encoding="utf-8").split() if options.lexicon else []
            spelt = {word: [head.units.piece(n) for n in head.units.encode(word)] for word in words}
            given = {"pieces": pieces, "cases": cases(options), "words": spelt}
            (Path(folder) / "given.json").write_text(json.dumps(given), encoding="utf-8")
            np.savez(Path(folder) / "emissions.npz", *emissions)
            script = Path(__file__).with_name("bench_flashlight.py")
            done = subprocess.run([options.flashlight, script, folder], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{options.flashlight}: {done.stderr}")
            theirs = json.loads(done.stdout)
    print(f"\n| beam {BEAM} | flashlight-text, ms a row | seqpipe | times |\n|---|---|---|---|")
    for name, own in ours.items():
        other = theirs.get(name)
        print(f"| {name} | {f'{other:.2f}' if other else '-'} | {own:.2f} | {f'{other / own:.1f}' if other else '-'} |")
    if options.infer:
        compare_infer(options, list(cases(options).values())[-1])


def compare_infer(options: argparse.Namespace, chosen: dict[str, Any]) -> None:
    """Seconds of `seqpipe infer` over the part, by both methods."""
    from seqpipe.inference.predictor import load

    for method, decoding in (("greedy", {}), ("beam", {"method": "beam", "beam": BEAM, **chosen})):
        predictor = load(options.run, decoding=decoding, device="cpu", threads=1)
        from seqpipe.data.source import data_root, read_rows

        data = predictor.pipeline.recipe.data
        suffixes = predictor.pipeline.features.reader.suffixes
        rows = list(
            read_rows(getattr(data, options.part), data, suffixes=suffixes, needs_id=False, root=data_root(data))
        )
        started = time.process_time()
        count = sum(1 for _ in predictor.predict(rows))
        print(f"infer, {method}: {(time.process_time() - started) / count * 1000:.2f} ms a row")
        predictor.close()


if __name__ == "__main__":
    main()
