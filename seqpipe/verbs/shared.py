"""What several verbs have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seqpipe.errors import ConfigError


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a recipe and its overrides."""
    parser.add_argument("recipe", help="a YAML file, or the name of a shipped recipe such as speech/starter")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value", help="values that replace the recipe's")


def scoring_arguments(parser: argparse.ArgumentParser, together: str = "the intervals") -> None:
    """Declare a run, how it is scored, and how it decodes: options by themselves, and as `infer` takes them.

    Args:
        parser: gets the options.
        together: what rows of a group are drawn together for, or stay together in.
    """
    parser.add_argument("run", help="run directory")
    parser.add_argument("--group", metavar="COLUMN", help=f"rows that stay together for {together}, e.g. speaker")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("overrides", nargs="*", metavar="decoding.key=value", help="how to decode")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="the same, as of infer")


def job_arguments(
    parser: argparse.ArgumentParser, *, workers: str, refused: str, segments: str, channels: str = ""
) -> tuple[Any, Any]:
    """Declare what the commands that answer many inputs have in common.

    Args:
        parser: gets the options.
        workers: said of --workers behind "processes that read".
        refused: what can't be done with an input, for --strict.
        segments: what --segment-seconds does.
        channels: said of --channels behind its default.

    Returns:
        The groups "the machine" and "inputs", for further options.
    """
    kept = parser.add_argument_group("what is there already")
    kept.add_argument("--resume", action="store_true", help="go on with a run that was stopped, or begin it")
    kept.add_argument("--overwrite", action="store_true", help="begin anew; an output stays till the new one is whole")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    machine.add_argument("--threads", type=int, metavar="N", help="of the CPU (default: all cores)")
    machine.add_argument("--workers", type=int, metavar="N", help=f"processes that read {workers}")
    inputs = parser.add_argument_group("inputs")
    inputs.add_argument("--strict", action="store_true", help=f"end at the first input that can't be {refused}")
    inputs.add_argument(
        "--channels",
        choices=["mix", "first", "loudest", "each"],
        help=f"of recordings that have several (default: as the recipe says, else mix){channels}",
    )
    inputs.add_argument("--max-seconds", type=float, metavar="S", help="longer recordings fail (default: 6 hours)")
    inputs.add_argument("--segment-seconds", type=float, metavar="S", help=segments)
    parser.add_argument("--quiet", action="store_true", help="show nothing while it goes on")
    return machine, inputs


def job_settings(options: argparse.Namespace, *further: str) -> dict[str, Any]:
    """Of `job_arguments` and further options, those that were given, as a `Predictor` takes them."""
    names = ("device", "threads", "max_seconds", "channels", *further)
    found = {name: value for name in names if (value := getattr(options, name)) is not None}
    if options.segment_seconds is not None:
        found["segment_seconds"] = options.segment_seconds or None
    return found


def calibration_argument(parser: Any) -> None:
    """Declare the way to have confidences as the model itself has them."""
    parser.add_argument(
        "--no-calibration",
        dest="calibrated",
        action="store_false",
        help="confidences as the model has them, though the run was calibrated",
    )


def chosen_decoding(options: argparse.Namespace) -> dict[str, Any]:
    """What `scoring_arguments` were given, as a mapping; raises `ConfigError` for any other key."""
    return dict(chosen_for_a_run([*options.overrides, *options.set], "decoding").get("decoding", {}))


def chosen_for_a_run(
    overrides: Iterable[str], *sections: str, shown: Callable[[str], str] = repr
) -> dict[str, dict[str, Any]]:
    """Overrides of a trained run, by section; raises `ConfigError` for a key of any section but these.

    Args:
        overrides: ``section.key=value``.
        sections: whose keys may be set.
        shown: how an override is written in the message.
    """
    from seqpipe.config.overrides import apply_override

    tree: dict[str, dict[str, Any]] = {}
    for override in overrides:
        if not override.startswith(tuple(f"{section}." for section in sections)):
            allowed = " and ".join(f"{section}.*" for section in sections)
            raise ConfigError(f"{shown(override)}: only {allowed} can be set for a trained run")
        apply_override(tree, override)
    return tree


def refuse_rest(options: argparse.Namespace) -> None:
    """Of a verb that takes no list: raises `ConfigError` for words that belong to no option."""
    if options.rest:
        raise ConfigError(f"{' '.join(options.rest)}: belongs to no option; put quotes around a text of several words")


def refuse_both(options: argparse.Namespace) -> None:
    """Raise `ConfigError` for --resume and --overwrite together."""
    if options.resume and options.overwrite:
        raise ConfigError("--resume goes on with what is there, and --overwrite begins anew: give one of them")


def set_threads(options: argparse.Namespace) -> None:
    """Give torch as many threads as --threads says; raises `ConfigError` if these are none."""
    if options.threads is None:
        return
    import torch

    if options.threads < 1:
        raise ConfigError(f"--threads should be at least 1; received {options.threads}")
    torch.set_num_threads(options.threads)


def text_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare texts to read."""
    parser.add_argument(
        "texts",
        nargs="+",
        metavar="TEXTS",
        help="files of a text a line (.gz too), manifests with --column, or - for standard input",
    )
    parser.add_argument("--column", metavar="NAME", help="of manifests, that holds the texts")


def units_of(name: str) -> Callable[[str], list[str]]:
    """What parts texts into the units of a language model.

    Args:
        name: ``words``, ``characters``, a run directory (whose rules for texts are applied first), or a file of units.

    Raises:
        ConfigError: it is none of these, or a run that doesn't write texts.
    """
    from seqpipe.language.spelling import characters_of, spelling_in
    from seqpipe.text.splitting import words_of
    from seqpipe.text.units import Characters, SentencePieceUnits

    if name in ("words", "characters"):
        return words_of if name == "words" else characters_of
    path = Path(name)
    for kind in (Characters, SentencePieceUnits):
        if path.name == kind.FILE and path.is_file():
            return spelling_in(kind.load(path.parent))
    if not path.is_dir():
        raise ConfigError(f"--units {name}: should be words, characters, a run directory, or a file of units in one")
    from seqpipe.heads.text_head import TextHead
    from seqpipe.pipeline import Pipeline
    from seqpipe.text.target_text import written

    head = Pipeline.load(path).head
    if not isinstance(head, TextHead):
        raise ConfigError(f"--units {name}: is a run with a {type(head).__name__}, which doesn't write texts in units")
    spelling = spelling_in(head.units)
    return lambda text: spelling(written(text, head.rules, head.base_direction))


def default_out(recipe: str, suffix: str = "") -> str:
    """``runs/an4`` for ``recipes/speech/an4.yaml`` or ``speech/an4``, with a suffix behind the name."""
    name = Path(recipe)
    return str(Path("runs") / f"{(name.with_suffix('') if name.suffix else name).name}{suffix}")
