"""``seqpipe-run``: an exported model over files, folders, patterns, manifests or standard input, without torch.

Only results go to standard output; progress and notices go to standard error. Exit status: 0 done, 1 failed, 2 wrong
usage, 3 done but some inputs failed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqpipe import __version__
from seqpipe.core.command import run_command
from seqpipe.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    options = _parser().parse_intermixed_args(arguments)

    def again() -> str | None:
        words = [word for word in (sys.argv[1:] if arguments is None else arguments) if word != "--overwrite"]
        resumed = shlex.join(["seqpipe-run", *words, *([] if options.resume else ["--resume"])])
        return resumed if options.output != "-" else None

    return run_command("seqpipe-run", lambda: _run(options), again)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seqpipe-run",
        description="Run an exported model over files, folders, globs, manifests, pages, or - for standard input.",
        epilog="example: seqpipe-run exported/an4 recordings/ more/*.flac --output out.jsonl",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"seqpipe-run {__version__}")
    add("model", help="folder that `seqpipe export` wrote")
    add("inputs", nargs="+", metavar="INPUT", help="file, folder, glob, manifest, page in ALTO or PAGE (.xml), or -")
    add(
        "--output",
        required=True,
        metavar="NAME",
        help="a file, a folder for srt, vtt, textgrid, ctm, alto and page, or - for standard output",
    )
    add(
        "--format",
        choices=["jsonl", "csv", "parquet", "columns", "srt", "vtt", "textgrid", "ctm", "alto", "page"],
        help="default: by the output's name; parquet needs pyarrow",
    )
    add("--threads", type=int, metavar="N", help="inputs that are answered at once (default: all cores)")
    add("--resume", action="store_true", help="go on with a run that was stopped, or begin it")
    add("--overwrite", action="store_true", help="begin anew; an output stays till the new one is whole")
    add("--strict", action="store_true", help="end at the first input that can't be answered")
    add("--quiet", action="store_true", help="show nothing while it goes on")
    add(
        "--channels",
        choices=["mix", "first", "loudest", "each"],
        help="of recordings that have several (default: as the recipe says, else mix); each: an answer a channel",
    )
    add("--max-seconds", type=float, metavar="S", help="longer recordings fail (default: 6 hours)")
    add("--max-tokens", type=int, metavar="N", help="longer texts fail (default: 100000)")
    add("--max-steps", type=int, metavar="N", help="longer images fail: columns, as scaled by the recipe")
    add(
        "--segment-seconds",
        type=float,
        metavar="S",
        help="segments of recordings over twice as long (default: 20); 0: no cuts",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="data.input, data.id, data.start, data.end, data.duration, data.channel, data.format (of a manifest), or "
        "decoding.*",
    )
    add(
        "--no-calibration",
        dest="calibrated",
        action="store_false",
        help="confidences as the model has them, though the run was calibrated",
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.resume and options.overwrite:
        raise ConfigError("--resume goes on with what is there, and --overwrite begins anew: give one of them")
    for name in options.inputs:
        if name.startswith(("data.", "decoding.")) and "=" in name and not Path(name).exists():
            raise ConfigError(f"{name}: is no input; write --set {name}")

    from seqpipe.runtime.infer import infer, parse_settings

    decoding, data = parse_settings(options.set)
    names = ("threads", "channels", "max_seconds", "max_tokens", "max_steps")
    settings: dict[str, Any] = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.segment_seconds is not None:
        settings["segment_seconds"] = options.segment_seconds or None
    summary = infer(
        options.model,
        options.inputs,
        options.output,
        kind=options.format,
        resume=options.resume,
        overwrite=options.overwrite,
        strict=options.strict,
        quiet=options.quiet,
        data=data,
        calibrated=options.calibrated,
        decoding=decoding,
        **settings,
    )
    return summary.exit_status()


if __name__ == "__main__":
    sys.exit(main())
