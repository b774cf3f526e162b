"""The command line: `main` parses it and runs the verb (`seqpipe.verbs`).

Only results go to standard output; progress and notices go to standard error. Exit status: 0 done, 1 failed, 2 wrong
usage, 3 done but some inputs failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
from collections.abc import Sequence

import seqpipe
from seqpipe.core.command import run_command
from seqpipe.errors import RENAMED, ConfigError
from seqpipe.verbs import VERBS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    options = _parse(arguments)
    # Read by OpenMP when torch is loaded. By default its threads spin for milliseconds at every barrier, which made an
    # LSTM 2 to 10 times slower where another process wanted the cores too; a short spin cost nothing on idle ones.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

    def run() -> int:
        _import_modules(options.imports)
        return int(VERBS[options.verb].run(options))

    goes_on = hasattr(options, "resume") and getattr(options, "output", "") != "-"
    return run_command(f"seqpipe {options.verb}", run, lambda: _again(arguments, options) if goes_on else None)


def _again(arguments: Sequence[str] | None, options: argparse.Namespace) -> str:
    """The command that goes on with what was interrupted."""
    words = [word for word in (sys.argv[1:] if arguments is None else arguments) if word != "--overwrite"]
    return shlex.join(["seqpipe", *words, *([] if options.resume else ["--resume"])])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse closes a list at the first option; what comes after the option belongs to the list all the same.
    continued = getattr(options, VERBS[options.verb].LIST)
    for argument in rest:
        if argument.startswith("-") and argument != "-":
            name = argument.partition("=")[0]
            new = RENAMED.get(name.lstrip("-").replace("-", "_"), "").replace("_", "-")
            parser.error(f"unrecognized argument: {argument}" + (f"; it is called --{new} now" if new else ""))
        continued.append(argument)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seqpipe",
        description="Train small, fast recurrent models on labelled sequences, and run them over many inputs.",
        epilog="example: seqpipe train speech/starter --out runs/a && seqpipe infer runs/a *.wav --output out.jsonl",
    )
    parser.add_argument("--version", action="version", version=f"seqpipe {seqpipe.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=f"{{{','.join(VERBS)}}}")
    for name, module in VERBS.items():
        added = verbs.add_parser(
            name, help=module.SUMMARY, description=module.SUMMARY, epilog=f"example: {module.EXAMPLE}"
        )
        added.add_argument(
            "--import",
            dest="imports",
            action="append",
            default=[],
            metavar="MODULE",
            help="Python module with stages of your own, found in the current folder or installed; may be repeated",
        )
        module.arguments(added)
    return parser


def _import_modules(names: Sequence[str]) -> None:
    if names and "" not in sys.path:
        sys.path.insert(0, "")  # a module beside the user, as `python -m` would find it
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(f"--import {name}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
