"""``seqpipe push``."""

from __future__ import annotations

import argparse

SUMMARY = "Put a run on the Hugging Face Hub, with a model card and the exported model beside."
EXAMPLE = "seqpipe push runs/an4 anna/an4-lstm --language en --licence mit"
LIST = "language"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory")
    parser.add_argument("name", metavar="OWNER/NAME", help="repository, which is made if there is none")
    parser.add_argument("--language", nargs="+", default=[], metavar="CODE", help="ISO 639 codes, for the card")
    parser.add_argument(
        "--licence", "--license", metavar="NAME", help="as the Hub names it, for the card: mit, cc-by-4.0"
    )
    parser.add_argument("--private", action="store_true", help="make a new repository a private one")
    parser.add_argument(
        "--precision", default="fp32", choices=["fp32", "int8", "none"], help="of the exported model beside"
    )
    parser.add_argument("--folder", metavar="NEW", help="write all into this folder instead, and send nothing")


def run(options: argparse.Namespace) -> int:
    """Push."""
    from seqpipe.export.push import push

    where = push(
        options.run,
        options.name,
        language=options.language,
        licence=options.licence,
        private=options.private,
        precision=None if options.precision == "none" else options.precision,
        folder=options.folder,
    )
    print(where)
    return 0
