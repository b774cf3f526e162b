"""``seqpipe align``."""

from __future__ import annotations

import argparse

from seqpipe.verbs.shared import chosen_for_a_run, refuse_both, set_threads, status_of

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
    kept = parser.add_argument_group("what is there already")
    kept.add_argument("--resume", action="store_true", help="go on with a run that was stopped, or begin it")
    kept.add_argument("--overwrite", action="store_true", help="begin anew; an output stays till the new one is whole")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    machine.add_argument("--threads", type=int, metavar="N", help="of the CPU (default: all cores)")
    machine.add_argument("--workers", type=int, metavar="N", help="processes that read (0: a thread)")
    wrong = parser.add_argument_group("inputs")
    wrong.add_argument("--strict", action="store_true", help="end at the first input that can't be aligned")
    wrong.add_argument(
        "--channels",
        choices=["mix", "first", "loudest", "each"],
        help="of recordings that have several (default: as the recipe says, else mix)",
    )
    wrong.add_argument("--max-seconds", type=float, metavar="S", help="longer recordings fail (default: 6 hours)")
    wrong.add_argument(
        "--segment-seconds",
        type=float,
        metavar="S",
        help="the model hears recordings over twice as long in segments of this (default: 20); 0: whole",
    )
    wrong.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="data.input, data.target (the column of texts), data.id, data.start, data.end, data.duration, "
        "data.channel, data.format",
    )
    parser.add_argument("--quiet", action="store_true", help="show nothing while it goes on")


def run(options: argparse.Namespace) -> int:
    """Write an alignment for every input; status 3 if some failed."""
    refuse_both(options)
    tree = chosen_for_a_run(options.set, "data", shown="--set {}".format)
    names = ("threads", "max_seconds", "channels", "threshold")
    settings = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.segment_seconds is not None:
        settings["segment_seconds"] = options.segment_seconds or None
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
        device=options.device,
        **settings,
    )
    return status_of(summary)
