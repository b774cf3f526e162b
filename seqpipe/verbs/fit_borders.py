"""``seqpipe fit-borders``."""

from __future__ import annotations

import argparse

SUMMARY = "Learn from a run's training rows where words begin and end, for `seqpipe align`."
EXAMPLE = "seqpipe fit-borders runs/an4"
LIST = "sources"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory of a model with a CTC head")
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="inputs with their texts, in the place of the recipe's training rows",
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])


def run(options: argparse.Namespace) -> int:
    """Write ``borders.safetensors``, and say what is in it."""
    from pathlib import Path

    from seqpipe.inference.word_borders import fit_borders
    from seqpipe.model_file import BORDERS

    found = fit_borders(options.run, options.sources, device=options.device)
    print(f"{Path(options.run) / BORDERS}: {found}")
    return 0
