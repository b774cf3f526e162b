"""``seqpipe align``."""

from __future__ import annotations

import argparse

from seqpipe.verbs.shared import chosen_for_a_run, job_arguments, job_settings, refuse_both, set_threads

SUMMARY = "Find where the words of known texts are in recordings, lines of handwriting or pen strokes."
EXAMPLE = "seqpipe align runs/an4 data/an4/dev.tsv --format textgrid --output aligned/"
LIST = "sources"
FORMATS = ["textgrid", "ctm", "srt", "vtt", "json", "jsonl"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory of a model with a CTC head")
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="MANIFEST",
        help="manifest, folder, page or hub:NAME with a text for each input; or, with --text, one input",
    )
    parser.add_argument("--text", metavar="FILE", help="text of the one input: .txt, .srt or .vtt")
    parser.add_argument(
        "--output",
        "--out",
        required=True,
        metavar="NAME",
        help="a file, a folder for textgrid, ctm, srt and vtt, or - for standard output",
    )
    parser.add_argument("--format", choices=FORMATS, help="default: by the output's name; json: JSON lines, as jsonl")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="NATS",
        help="a text or word that is less likely than free decoding by more than this, a unit, is not in the input "
        "(default: -1.5)",
    )
    _, inputs = job_arguments(
        parser,
        workers="(0: a thread)",
        refused="aligned",
        segments="the model hears recordings over twice as long in segments of this (default: 20); 0: whole",
    )
    inputs.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="data.input, data.target (the column of texts), data.id, data.start, data.end, data.duration, "
        "data.channel, data.format",
    )


def run(options: argparse.Namespace) -> int:
    """Write an alignment for every input; status 3 if some failed."""
    refuse_both(options)
    tree = chosen_for_a_run(options.set, "data", shown="--set {}".format)
    settings = job_settings(options, "threshold")
    if options.workers != 0:
        from seqpipe.inference.warm_up import warm_up

        warm_up()
    set_threads(options)

    from seqpipe.inference.align import align

    summary = align(
        options.run,
        options.sources,
        options.output,
        text=options.text,
        kind="jsonl" if options.format == "json" else options.format,
        resume=options.resume,
        overwrite=options.overwrite,
        strict=options.strict,
        quiet=options.quiet,
        workers=options.workers,
        modules=options.imports,
        data=tree.get("data"),
        **settings,
    )
    return summary.exit_status()
