"""``seqpipe perplexity``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from seqpipe.errors import ConfigError
from seqpipe.verbs.shared import text_arguments, units_of

SUMMARY = "Say how well a language model foretells texts: perplexity, bits per character, unknown units."
EXAMPLE = "seqpipe perplexity words.arpa texts.txt"
LIST = "texts"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", metavar="MODEL", help="an ARPA file (.arpa, .arpa.gz)")
    text_arguments(parser)
    parser.add_argument(
        "--units",
        metavar="words|characters|RUN",
        help="what texts are parted into, as for estimate-ngram; by default what the model's own units look like",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")


def run(options: argparse.Namespace) -> int:
    """Print the scores."""
    from pathlib import Path

    from seqpipe.core.language_model_files import load_language_model
    from seqpipe.data.texts import read_texts
    from seqpipe.language.perplexity import measure_perplexity
    from seqpipe.language.spelling import likely_spelling

    sources = [read_texts(name, options.column) for name in options.texts]
    chosen = units_of(options.units) if options.units else None
    model = load_language_model(Path(options.model))
    spelling = chosen or likely_spelling(model.vocabulary)
    if spelling is None:
        raise ConfigError(
            f"{options.model}: has units that are parts of words; give the run that has them (--units RUN)"
        )
    spelt = spelling

    def texts() -> Iterator[tuple[str, list[str]]]:
        for source in sources:
            for _, text in source:
                yield text, spelt(text)

    found = measure_perplexity(model, texts())
    if options.json:
        content = {
            "texts": found.texts,
            "units": found.units,
            "unknown_units": found.unknown,
            "characters": found.characters,
            "perplexity": found.perplexity,
            "known_perplexity": found.known_perplexity,
            "bits_per_character": found.bits_per_character,
            "unknown_share": found.unknown_share,
            "log_prob_nats": found.log_prob,
        }
        print(json.dumps(content))
        return 0
    print(f"{found.texts:,} texts, {found.units:,} units with their ends")
    print(f"perplexity          {found.perplexity:.4g}")
    if found.unknown:
        print(f"without unknown     {found.known_perplexity:.4g}")
    print(f"bits per character  {found.bits_per_character:.4f}")
    print(f"unknown             {100 * found.unknown_share:.2f} % ({found.unknown:,} units)")
    return 0
