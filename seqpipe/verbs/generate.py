"""``seqpipe generate``."""

from __future__ import annotations

import argparse
import json

from seqpipe.verbs.shared import refuse_rest

SUMMARY = "Go on with a text by a trained language model."
EXAMPLE = 'seqpipe generate runs/tiny_shakespeare --prompt "ROMEO:" --n 2 --temperature 0.8'
LIST = "rest"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(rest=[])
    parser.add_argument("run", help="run directory of the language task")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what the text begins with; default: nothing")
    parser.add_argument("--n", type=int, default=1, metavar="N", help="texts, each drawn by itself; default: 1")
    parser.add_argument(
        "--temperature", type=float, metavar="T", help="below 1: likely units more often; 0: the likeliest; default: 1"
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest units; default: among all")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="draw among the likeliest of this probability together"
    )
    parser.add_argument("--seed", type=int, help="what is drawn depends on it alone; default: 1")
    parser.add_argument("--max-units", type=int, metavar="N", help="units that are written at most; default: 200")
    parser.add_argument("--stop", choices=["sentence", "units"], help="end behind a sentence; default: units")
    parser.add_argument("--json", action="store_true", help="a JSON object a text, nothing else")


def run(options: argparse.Namespace) -> int:
    """Write texts to standard output, piece by piece."""
    from seqpipe.generation.generate import generate, stream_text
    from seqpipe.generation.run_model import load_text_model

    refuse_rest(options)
    names = ("temperature", "top_k", "top_p", "seed", "max_units", "stop")
    chosen = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    model = load_text_model(options.run)
    if options.json or options.n < 1:
        for found in generate(model, options.prompt, n=options.n, **chosen):
            record = {
                "text": options.prompt + found.text,
                "log_probability": round(found.log_probability, 4),
                "units": found.units,
                "finished": found.finished,
            }
            print(json.dumps(record, ensure_ascii=False), flush=True)
        return 0
    for sample in range(options.n):
        pieces = stream_text(model, options.prompt, sample=sample, **chosen)
        if sample:
            print()
        print(options.prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
    return 0
