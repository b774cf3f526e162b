"""``seqpipe infer``."""

from __future__ import annotations

import argparse
from pathlib import Path

from seqpipe.verbs.shared import (
    calibration_argument,
    chosen_for_a_run,
    job_arguments,
    job_settings,
    refuse_both,
    set_threads,
)

SUMMARY = "Run a trained model over files, folders, globs, manifests, pages, or - for standard input."
EXAMPLE = "seqpipe infer runs/an4 recordings/ more/*.flac --output out.jsonl"
LIST = "inputs"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", help="run directory")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="file, folder, glob, manifest, page in ALTO or PAGE (.xml), hub:NAME or -",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="NAME",
        help="a file, a folder for srt, vtt, textgrid, ctm, alto and page, or - for standard output",
    )
    parser.add_argument(
        "--format",
        choices=["jsonl", "csv", "parquet", "columns", "srt", "vtt", "textgrid", "ctm", "alto", "page"],
        help="default: by the output's name; columns: a word and its tag a line; alto, page: the XML documents of "
        "pages with their text",
    )
    machine, read = job_arguments(
        parser,
        workers="(default: a quarter of the cores; 0, and the default for text: a thread); with ray actors "
        "(default: what fits)",
        refused="answered",
        channels="; each: an answer a channel",
        segments="segments of recordings over twice as long (default: 20); 0: no cuts",
    )
    machine.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    machine.add_argument("--batch-steps", type=int, metavar="N", help="budget of a batch: rows times longest")
    machine.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="inputs that are batched together and safe together (default: 512, of texts 4096)",
    )
    machine.add_argument("--shard", metavar="I/N", help="the I-th of N parts of about equal length, from 1 on")
    machine.add_argument("--engine", default="local", choices=["local", "ray"], help="ray: see docs/cluster.md")
    read.add_argument("--max-tokens", type=int, metavar="N", help="longer texts fail (default: 100000)")
    read.add_argument(
        "--max-steps",
        type=int,
        metavar="N",
        help="longer images fail: columns, as scaled by the recipe (default: 100000)",
    )
    read.add_argument(
        "--segment-tokens",
        type=int,
        metavar="N",
        help="texts of more tokens (units of the features) are translated sentence by sentence (default: whole)",
    )
    read.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="data.input, data.id, data.start, data.end, data.duration, data.channel, data.format (of a manifest), or "
        "decoding.*",
    )
    calibration_argument(parser)


def _reads_text(run: str) -> bool:
    """Whether a recipe begins so, as far as can be told without the modules that would read it."""
    recipe = Path(run) / "recipe.yaml"
    return recipe.is_file() and b"\n  features:\n  - stage: Tokens\n" in recipe.read_bytes()


def run(options: argparse.Namespace) -> int:
    """Write an answer for every input; status 3 if some failed."""
    from seqpipe.errors import ConfigError

    refuse_both(options)
    for name in options.inputs:
        if name.startswith(("data.", "decoding.")) and "=" in name and not Path(name).exists():
            raise ConfigError(f"{name}: is no input; write --set {name}")
    tree = chosen_for_a_run(options.set, "data", "decoding", shown="--set {}".format)
    settings = job_settings(options, "precision", "batch_steps", "window", "segment_tokens", "max_tokens", "max_steps")
    settings["decoding"] = tree.get("decoding", {})
    if options.engine == "local" and (options.workers or (options.workers is None and not _reads_text(options.run))):
        from seqpipe.inference.warm_up import warm_up

        warm_up()
    set_threads(options)

    from seqpipe.inference.infer import infer

    summary = infer(
        options.run,
        options.inputs,
        options.output,
        kind=options.format,
        resume=options.resume,
        overwrite=options.overwrite,
        strict=options.strict,
        quiet=options.quiet,
        part=options.shard,
        workers=options.workers,
        modules=options.imports,
        data=tree.get("data"),
        engine=options.engine,
        calibrated=options.calibrated,
        **settings,
    )
    return summary.exit_status()
