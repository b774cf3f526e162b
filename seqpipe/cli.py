"""The command line: seqpipe train, evaluate, infer, check.

Only results go to standard output; progress and notices go to standard error. Exit status: 0 done, 1 failed, 2 wrong
usage, 3 done but some inputs failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import seqpipe
from seqpipe.errors import ConfigError, SeqpipeError

DONE, FAILED, WRONG_USAGE, SOME_FAILED = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status."""
    options = _parse(arguments)
    # Read by OpenMP when torch is loaded. By default its threads spin for milliseconds at every barrier, which made an
    # LSTM 2 to 10 times slower where another process wanted the cores too; a short spin cost nothing on idle ones.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    verbs = {"train": _train, "evaluate": _evaluate, "infer": _infer, "check": _check}
    try:
        _import_modules(options.imports)
        return verbs[options.verb](options)
    except ConfigError as error:
        print(f"seqpipe {options.verb}: {error}", file=sys.stderr)
        return WRONG_USAGE
    except SeqpipeError as error:
        print(f"seqpipe {options.verb}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader of a pipe has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        print(f"seqpipe {options.verb}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        hint = f"; go on with: seqpipe train ... --out {options.out} --resume" if options.verb == "train" else ""
        print(f"seqpipe {options.verb}: interrupted{hint}", file=sys.stderr)
        return FAILED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse closes a list at the first option; what comes after the option belongs to the list all the same.
    continued = options.inputs if options.verb == "infer" else options.overrides
    for argument in rest:
        if argument.startswith("-") and argument != "-":
            parser.error(f"unrecognized argument: {argument}")
        continued.append(argument)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seqpipe",
        description="Train small, fast recurrent models on labelled sequences, and run them over many inputs.",
        epilog="example: seqpipe train speech/starter --out runs/a && seqpipe infer runs/a *.wav --output out.jsonl",
    )
    parser.add_argument("--version", action="version", version=f"seqpipe {seqpipe.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="{train,evaluate,infer,check}")

    def verb(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=summary, description=summary, epilog=f"example: {example}")
        added.add_argument(
            "--import",
            dest="imports",
            action="append",
            default=[],
            metavar="MODULE",
            help="Python module with stages of your own, found in the current folder or installed; may be repeated",
        )
        return added

    train = verb(
        "train",
        "Train a recipe into a run directory.",
        "seqpipe train recipes/speech/an4.yaml --out runs/an4 data.root=data/an4 training.epochs=30",
    )
    train.add_argument("recipe", help="a YAML file, or the name of a shipped recipe such as speech/starter")
    train.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")
    train.add_argument("--out", metavar="DIR", help="run directory, absent or empty (default: runs/<recipe name>)")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint in DIR, if there is one")
    train.add_argument("--quiet", action="store_true", help="no progress")

    evaluate = verb(
        "evaluate",
        "Score a run on labelled data.",
        "seqpipe evaluate runs/an4 --data data/an4/dev.tsv --json",
    )
    evaluate.add_argument("run", help="run directory")
    evaluate.add_argument("overrides", nargs="*", metavar="decoding.key=value", help="how to decode")
    evaluate.add_argument(
        "--data", metavar="SOURCE", help="manifest, folder or hub:NAME (default: the recipe's test or dev)"
    )
    evaluate.add_argument("--json", action="store_true", help="one JSON object of the scores, nothing else")
    evaluate.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])

    infer = verb(
        "infer",
        "Run a trained model over files, folders, globs, manifests, or - for standard input.",
        "seqpipe infer runs/an4 recordings/ more/*.flac --output out.jsonl",
    )
    infer.add_argument("run", help="run directory")
    infer.add_argument("inputs", nargs="+", metavar="INPUT", help="file, folder, glob, manifest, hub:NAME or -")
    infer.add_argument(
        "--output", required=True, metavar="FILE", help="JSON lines, in input order; - for standard output"
    )
    infer.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    infer.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])

    check = verb(
        "check",
        "Look at a recipe's rows, or a source of them, before training does.",
        "seqpipe check recipes/speech/an4.yaml data.root=data/an4",
    )
    check.add_argument(
        "recipe", metavar="RECIPE|SOURCE", help="a recipe, or a manifest (then --recipe says how to read it)"
    )
    check.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")
    check.add_argument("--recipe", dest="reader", metavar="RECIPE", help="recipe that says how SOURCE is read")
    return parser


def _import_modules(names: Sequence[str]) -> None:
    if names and "" not in sys.path:
        sys.path.insert(0, "")  # a module beside the user, as `python -m` would find it
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(f"--import {name}: {error}") from None


def _train(options: argparse.Namespace) -> int:
    from pathlib import Path

    from seqpipe.recipe import load_recipe
    from seqpipe.training.train import train

    recipe = load_recipe(options.recipe, options.overrides)
    if options.out is None:
        name = Path(options.recipe)
        options.out = str(Path("runs") / (name.with_suffix("") if name.suffix else name).name)
    metrics = train(recipe, options.out, resume=options.resume, quiet=options.quiet)
    for name, value in metrics["dev"].items():
        print(f"dev {name} {value:.2f}")
    print(f"run {options.out} ({metrics['seconds']:.0f} s, {metrics['parameters'] / 1e6:.2f} M parameters)")
    return DONE


def _decoding(overrides: Sequence[str]) -> dict[str, Any]:
    from seqpipe.recipe import apply_override

    tree: dict[str, Any] = {}
    for override in overrides:
        if not override.startswith("decoding."):
            raise ConfigError(f"{override!r}: only decoding.* can be set for a trained run")
        apply_override(tree, override)
    return dict(tree.get("decoding", {}))


def _evaluate(options: argparse.Namespace) -> int:
    from seqpipe.evaluation.evaluate import evaluate

    evaluation = evaluate(options.run, options.data, decoding=_decoding(options.overrides), device=options.device)
    for notice in evaluation.notices:
        print(notice, file=sys.stderr)
    if options.json:
        print(json.dumps(evaluation.to_json(), ensure_ascii=False))
        return DONE
    from seqpipe.evaluation.table import render

    print(render(evaluation))
    return DONE


def _infer(options: argparse.Namespace) -> int:
    import time

    from seqpipe.inference.inputs import expand_inputs
    from seqpipe.inference.predictor import load
    from seqpipe.inference.write import write_answers

    predictor = load(options.run, device=options.device, precision=options.precision)
    pipeline = predictor.pipeline
    rows = expand_inputs(options.inputs, pipeline.recipe.data, reads_files=pipeline.features.first.reads_files)
    started = time.perf_counter()
    count, failures = write_answers(predictor.predict(rows), options.output)
    failed = sum(failures.values())
    kinds = ", ".join(f"{number} {kind}" for kind, number in failures.most_common())
    print(
        f"{count} inputs in {time.perf_counter() - started:.1f} s" + (f", {failed} failed ({kinds})" if failed else ""),
        file=sys.stderr,
    )
    return SOME_FAILED if failed else DONE


def _check(options: argparse.Namespace) -> int:
    from seqpipe.evaluation.check import check_command

    return DONE if check_command(options.recipe, options.reader, options.overrides) else FAILED


if __name__ == "__main__":
    sys.exit(main())
