"""``seqpipe estimate-ngram``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from seqpipe.errors import ConfigError
from seqpipe.verbs.shared import text_arguments, units_of

SUMMARY = "Estimate an n-gram language model from texts (modified Kneser-Ney), and write it as an ARPA file."
EXAMPLE = "seqpipe estimate-ngram texts.txt --order 4 --units words --out words.arpa"
LIST = "texts"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    text_arguments(parser)
    parser.add_argument("--order", type=int, default=4, metavar="N", help="highest n, 1 to 6 (default: 4)")
    parser.add_argument(
        "--units",
        default="words",
        metavar="words|characters|RUN",
        help="what texts are parted into: words between white space (the default), characters, or what a run directory "
        "or a file of units (sentencepiece.model, characters.json) says",
    )
    parser.add_argument(
        "--prune", default="0", metavar="N,N,...", help="of each order, leave out what occurs so often or less: 0,0,1"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="model.arpa, or model.arpa.gz")


def run(options: argparse.Namespace) -> int:
    """Write the file, and say what is in it."""
    from pathlib import Path

    from seqpipe.core.files import check_replaced
    from seqpipe.data.texts import STANDARD_INPUT, read_texts
    from seqpipe.language.arpa import SUFFIXES
    from seqpipe.language.kneser_ney import FALLBACK, estimate

    out = Path(options.out)
    if not out.name.lower().endswith(SUFFIXES):
        raise ConfigError(f"--out {out}: should end with {' or '.join(SUFFIXES)}")
    try:
        prune = [int(number) for number in options.prune.split(",")]
    except ValueError:
        raise ConfigError(f"--prune {options.prune}: should be whole numbers, for example 0,0,1") from None
    check_replaced("--out", [out], [Path(name) for name in options.texts if name != STANDARD_INPUT])
    spelling = units_of(options.units)
    sources = [read_texts(name, options.column) for name in options.texts]

    def texts() -> Iterator[list[str]]:
        for source in sources:
            for _, text in source:
                yield spelling(text)

    made = estimate(texts(), out, order=options.order, prune=prune)
    for order in made.fallbacks:
        shown = ", ".join(f"{value:g}" for value in FALLBACK)
        print(f"{order}-grams are too few, or their counts too odd, to estimate discounts: {shown}", file=sys.stderr)
    counts = ", ".join(f"{count:,} {order}-grams" for order, count in enumerate(made.counts, 1))
    print(f"{out}: {counts}, from {made.texts:,} texts")
    return 0
